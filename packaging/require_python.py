"""Stops `make` with one clear line where the interpreter is too old or cannot make virtual environments.

Written for any Python 3, so that an old one says what is wrong instead of failing on syntax.
"""

import importlib.util
import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- this is the one file that an older Python reads
    sys.exit(
        f"shipper needs Python 3.11 or newer, this is {sys.version_info[0]}.{sys.version_info[1]}; "
        "name another one: make PYTHON=python3.12"
    )
if importlib.util.find_spec("ensurepip") is None:
    sys.exit("this Python cannot make virtual environments; on Debian: apt-get install python3-venv")
