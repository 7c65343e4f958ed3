"""What every step of the build shares: the versions of Python, the folders, the clock, how it speaks."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
"""The versions of Python that a package runs on; the launcher looks for the newest first."""

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build"
DIST: Final = ROOT / "dist"
STAGE: Final = BUILD / "stage"
LIBRARY: Final = STAGE / "usr/lib/shipper"
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def say(text: str) -> None:
    """Tell whoever builds."""
    print(f"packages: {text}", file=sys.stderr, flush=True)


def stop(text: str) -> SystemExit:
    """Return what ends the build with *text*."""
    return SystemExit(f"packages: {text}")


def machine() -> str:
    """Return this host's machine as wheels name it.

    Raises:
        SystemExit: packages cannot be built on it.
    """
    name = platform.machine()
    if name not in ARCHITECTURES:
        raise stop(f"packages are built on {' or '.join(ARCHITECTURES)}, this is {name}")
    return name


def version() -> str:
    """Return the version of the tree."""
    text = (ROOT / "shipper/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise stop("shipper/__init__.py has no __version__")
    return found[1]


def epoch() -> int:
    """Return the one instant of every file in a package: SOURCE_DATE_EPOCH, else that of the commit.

    Raises:
        SystemExit: neither is known.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode or not done.stdout.strip():
        raise stop("no commit to take the time from: set SOURCE_DATE_EPOCH")
    return int(done.stdout)


def tracked(folder: str) -> list[Path]:
    """Return the files of *folder* that belong to the project or may yet, relative to the tree.

    Without git (an unpacked release) all are, but what Python left.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [Path(name) for name in sorted(done.stdout.rstrip("\0").split("\0")) if (ROOT / name).is_file()]
    return [
        path.relative_to(ROOT)
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
