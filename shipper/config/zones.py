"""Which zone this host's clock shows: the one of stamps that name none."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping as Lookup
from pathlib import Path
from typing import Final

_DATABASE: Final = "zoneinfo/"
_VARIANTS: Final = ("posix/", "right/")


def host_zone(environ: Lookup[str, str], etc: Path = Path("/etc")) -> str:
    """Return the IANA name of the host's zone: from `TZ`, else *etc*/localtime, else *etc*/timezone, else UTC.

    A `TZ` that is a rule of its own (`CET-1CEST`) has no name and is passed over.
    """
    for text in (environ.get("TZ", ""), _link_target(etc / "localtime"), _first_line(etc / "timezone")):
        name = _zone_name(text)
        if name:
            return name
    return "UTC"


def _zone_name(text: str) -> str:
    name = text.strip().removeprefix(":").rpartition(_DATABASE)[2]
    for variant in _VARIANTS:
        name = name.removeprefix(variant)
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return ""
    return name


def _link_target(path: Path) -> str:
    try:
        target = str(path.readlink())
        # A link to a link of one's own (/etc/localtime -> /etc/zones/here -> the database) is followed to its end.
        return target if _DATABASE in target else str(path.resolve(strict=True))
    except (OSError, RuntimeError):
        return ""


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return ""
