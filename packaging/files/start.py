"""Starts shipper on its own libraries: the interpreter's are those of its distribution, and nothing else's are seen."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = [HERE + "/common", "%s/python%d.%d" % (HERE, *sys.version_info[:2])]
sys.path[:0] = LIBRARIES
# The endpoint that the agent serves itself, and the workers of a backfill, are started as `python -m shipper...`.
os.environ["PYTHONPATH"] = ":".join(LIBRARIES)
sys.argv[0] = "shipper"

from shipper.cli import main  # noqa: E402 -- only now it can be found

main()
