"""What the sources' patterns match on this host, what of it may not be read, and how to mend that."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path
from typing import Final, NamedTuple

from shipper.adapters.discovery import Discovery, Scan, wanted_by
from shipper.adapters.files import effective_user, mending_command
from shipper.adapters.host import free_space
from shipper.cli.check_report import Finding, Overlap, PatternReport, Skipped
from shipper.config import Config, Source
from shipper.core.diagnosis import LEAST_FREE_BYTES, LEAST_FREE_INODES, size_text
from shipper.core.patterns import compile_patterns

_DENIED: Final = frozenset({os.strerror(errno.EACCES), os.strerror(errno.EPERM)})


class SourceFiles(NamedTuple):
    """What one source matches."""

    patterns: list[PatternReport]
    owned: int
    skipped: list[Skipped]
    findings: list[Finding]


class Files(NamedTuple):
    """What all of them match, in their order."""

    sources: list[SourceFiles]
    overlaps: list[Overlap]
    scan: Scan


def look_for_files(config: Config, now_ns: int) -> Files:
    """Look at every directory that a source names, as the agent does."""
    wanted = [wanted_by(source) for source in config.sources]
    own = [str(config.state_dir)]
    together = Discovery(wanted, own).scan(now_ns=now_ns)
    alone = [Discovery([one], own).scan(now_ns=now_ns) for one in wanted]
    owned = [sum(1 for seen in together.seen if seen.source == index) for index in range(len(wanted))]
    names = [source.name for source in config.sources]
    overlaps = [
        Overlap(_shown(path), names[indexes[0]], [names[index] for index in indexes[1:]])
        for path, indexes in sorted(together.overlaps.items())
    ]
    return Files(
        [_of_source(source, scan, own) for source, scan, own in zip(config.sources, alone, owned, strict=True)],
        overlaps,
        together,
    )


def _of_source(source: Source, scan: Scan, owned: int) -> SourceFiles:
    counts = dict.fromkeys(source.paths, 0)
    for seen in scan.seen:
        if seen.pattern is not None:
            counts[seen.pattern] += 1
    skipped = [
        Skipped(_shown(path), reason, mending_command(path) if reason in _DENIED else "")
        for path, reason in sorted(scan.skipped.items())
    ]
    findings = [
        Finding("failed", f"{one.path}: {one.reason.lower()}: it is not read", one.mend) for one in skipped if one.mend
    ]
    if not scan.seen and not skipped:
        findings.append(Finding("warning", f"no file matches yet: {_why_nothing(source)}"))
    return SourceFiles([PatternReport(*row) for row in counts.items()], owned, skipped, findings)


def _why_nothing(source: Source) -> str:
    prefixes = {pattern.prefix for text in source.paths for pattern in compile_patterns(text)}
    missing = sorted(prefix for prefix in prefixes if not Path(prefix).is_dir())
    if missing:
        return f"there is no folder {', '.join(missing)}"
    return f"nothing of that name in {', '.join(sorted(prefixes))}"


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def look_at_state_dir(folder: Path) -> list[Finding]:
    """Return what keeps the agent from writing to *folder*, which it makes where it is missing."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        return [Finding("failed", f"state_dir {folder}: {nearest} is no folder; name another in state_dir")]
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        mount = next(place for place in (nearest, *nearest.parents) if place.is_mount())
        text = f"state_dir {folder}: the file system at {mount} is read-only: {used_text(nearest)}"
        return [Finding("failed", text, f"mount -o remount,rw {shlex.quote(str(mount))}, or name another in state_dir")]
    if os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        return []
    user, quoted = effective_user(), shlex.quote(str(folder))
    where = "it" if nearest == folder else str(nearest)
    mend = f"chown -R {user} {quoted}" if nearest == folder else f"install -d -o {user} -m 0700 {quoted}"
    return [
        Finding(
            "failed",
            f"state_dir {folder}: {user} may not write to {where}",
            mend,
        )
    ]


def look_at_room(folder: Path) -> list[Finding]:
    """Return what is wrong with the room at *folder*, or where it is to be made: bytes or inodes that are used up."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    free_bytes, free_inodes = free_space(nearest)
    where, quoted = f"state_dir {folder}: its file system", shlex.quote(str(nearest))
    if free_bytes < LEAST_FREE_BYTES:
        why = f"{used_text(nearest)}; under {size_text(LEAST_FREE_BYTES)} offsets and dead letters soon cannot be saved"
        return [Finding("failed", f"{where} is full: {why}", f"df -h {quoted}, and make room there")]
    if free_inodes is not None and free_inodes < LEAST_FREE_INODES:
        return [
            Finding("failed", f"{where} has {free_inodes} inodes free: no file can be made there soon",
                    f"df -i {quoted}, and remove small files there")
        ]  # fmt: skip
    return []


def used_text(place: Path) -> str:
    """Return what df says of the file system at *place*."""
    room = os.statvfs(place)
    used = room.f_blocks - room.f_bfree
    share = 100 * used / max(1, used + room.f_bavail)
    free, size = size_text(room.f_bavail * room.f_frsize), size_text(room.f_blocks * room.f_frsize)
    return f"{free} of {size} free, {share:.0f} % used"
