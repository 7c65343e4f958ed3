"""Paths of a configuration: `~`, relative ones, and where the state lives by default."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping as Lookup
from pathlib import Path
from typing import Final

ROOT_STATE_DIR: Final = Path("/var/lib/shipper")


def default_state_dir(environ: Lookup[str, str], user_id: int) -> Path:
    """Return where the agent of this user keeps its state; `XDG_STATE_HOME` is honoured if it is absolute."""
    if user_id == 0:
        return ROOT_STATE_DIR
    named = Path(environ.get("XDG_STATE_HOME", ""))
    base = named if named.is_absolute() else Path(_with_home("~/.local/state", environ))
    return base / "shipper"


def resolve_folder(text: str, folder: Path, environ: Lookup[str, str]) -> Path:
    """Return the absolute form of the path *text* in a file of *folder*."""
    return Path(os.path.normpath(folder / _with_home(text, environ)))


def resolve_pattern(text: str, folder: Path, environ: Lookup[str, str]) -> str:
    """Return the absolute form of the glob *text* in a file of *folder*; only *text* can hold wildcards."""
    pattern = _with_home(text, environ)
    if not pattern.startswith("/"):
        pattern = f"{glob.escape(str(folder))}/{pattern}"
    return os.path.normpath(pattern)


def resolve_exclude(text: str, folder: Path, environ: Lookup[str, str]) -> str:
    """Return the glob *text* of `exclude`: without a slash it is about names, with a leading `**` about any folder."""
    if "/" not in text:
        return text
    if text.startswith("**"):
        return "/" + text
    return resolve_pattern(text, folder, environ)


def _with_home(text: str, environ: Lookup[str, str]) -> str:
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return home.rstrip("/") + text[1:]
    return os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises for a user that does not exist
