"""How long a test waits for what must come.

A deadline only says that a test hangs; it is no promise about the time that something takes. So it is one for all
tests, and far beyond what an innocent run needs on a machine with twenty times the work that it can do.
SHIPPER_PATIENCE_SECONDS sets another, for who looks for the reason of a hang.
"""

from __future__ import annotations

import os

PATIENCE_SECONDS = float(os.environ.get("SHIPPER_PATIENCE_SECONDS", "120"))
