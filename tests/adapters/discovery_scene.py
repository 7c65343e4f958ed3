"""Files that are written to be found, and what a scan says of them."""

from __future__ import annotations

from pathlib import Path

from shipper.adapters.discovery import Discovery, Scan, Wanted

TEXT = b"2026-11-23 20:00:00 a line\n"


def write(path: Path, data: bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def scan(*wanted: Wanted | str, own: tuple[str, ...] = ()) -> Scan:
    return Discovery([Wanted((w,)) if isinstance(w, str) else w for w in wanted], own).scan()


def names(found: Scan, below: Path) -> list[str]:
    return [str(Path(seen.path).relative_to(below)) for seen in found.seen]


def skipped(found: Scan) -> dict[str, str]:
    return {Path(path).name: reason for path, reason in found.skipped.items()}
