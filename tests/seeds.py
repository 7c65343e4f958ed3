"""Where a test draws its case by chance: the seed is known however it ends, and can be given."""

from __future__ import annotations

import os
import random
import sys


def drawn_seed() -> int:
    """Return SHIPPER_SEED, or a new seed, and say it: pytest shows it with whatever fails, a hang too."""
    seed = int(os.environ.get("SHIPPER_SEED") or random.randrange(1 << 30))
    sys.stdout.write(f"SHIPPER_SEED={seed}\n")
    return seed
