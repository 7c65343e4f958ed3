"""What logs there are on this host: files that programs have open, folders of logs, containers, the journal.

Only looks: which of it becomes a source, the operator says (init.py).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.discovery import Discovery, Wanted
from shipper.adapters.discovery_content import look_into
from shipper.adapters.files import mending_command
from shipper.adapters.host_processes import PROC, open_files, programs
from shipper.core.rotation_names import COMPRESSED, live_names

MOST_FILES: Final = 200
QUIET_SECONDS: Final = 30 * 86_400
_LOG_NAME: Final = re.compile(
    r"\.(?:log|out|err|trace|audit|jsonl|ndjson)\b|(?:^|[._-])logs?(?:$|[._-])", re.IGNORECASE
)
_LOG_FOLDER: Final = re.compile(r"/logs?/|/var/log/", re.IGNORECASE)
_NEVER: Final = ("/proc/", "/sys/", "/dev/", "/run/", "/var/run/", "/var/lib/shipper/")


class Places(NamedTuple):
    """Where to look.

    Attributes:
        folders: With logs in them and below.
        only: Nothing else is looked at: no containers, no files elsewhere that programs have open.
    """

    folders: tuple[Path, ...] = (Path("/var/log"),)
    kubernetes: Path = Path("/var/log/containers")
    docker: Path = Path("/var/lib/docker/containers")
    journal: tuple[Path, ...] = (Path("/run/systemd/journal"), Path("/var/log/journal"), Path("/run/log/journal"))
    proc: Path = PROC
    only: bool = False


class Sights(msgspec.Struct):
    """What was found.

    Attributes:
        files: Path to why it is thought to be a log.
        containers: Glob, format and number of files of each kind of container log.
        unreadable: Path to the command that would let us read it.
        notes: What else the operator should know.
    """

    files: dict[Path, str] = {}
    containers: list[tuple[str, str, str, int]] = []
    unreadable: dict[str, str] = {}
    notes: list[str] = []


def look_around(places: Places) -> Sights:
    """Return the logs of this host."""
    sights = Sights({}, [], {}, [])
    aside = (f"{places.kubernetes}/", f"{places.docker}/", "/var/log/pods/", *(f"{one}/" for one in places.journal))
    _look_at_programs(places, aside, sights)
    _look_at_folders(places, aside, sights)
    if not places.only:
        _look_at_containers(places, sights)
    newest = sorted(sights.files, key=_written_at, reverse=True)
    if len(newest) > MOST_FILES:
        sights.notes.append(f"{len(newest)} logs were found; only the {MOST_FILES} written last are looked into")
        sights.files = {path: sights.files[path] for path in newest[:MOST_FILES]}
    if any(path.is_dir() for path in places.journal):
        sights.notes.append(
            "the systemd journal is here; shipper reads files only: what goes to the journal alone comes with rsyslog "
            "(or ForwardToSyslog=yes in journald.conf), through /var/log/syslog"
        )
    else:
        sights.notes.append("no systemd journal here: nothing is missed beside the files")
    if os.geteuid() != 0:
        sights.notes.append("run as root to see the logs that programs of other users have open")
    return sights


def _look_at_programs(places: Places, aside: Sequence[str], sights: Sights) -> None:
    for program in programs(places.proc):
        if any("shipper" in word for word in program.command[:3]):  # what an agent writes is no log of the host's
            continue
        for one in open_files(program.pid, places.proc):
            looks_so = _LOG_NAME.search(one.path.rpartition("/")[2]) or _LOG_FOLDER.search(one.path)
            if not one.writes or not looks_so or one.path.startswith((*_NEVER, *aside)):
                continue
            if places.only and not any(one.path.startswith(f"{folder}/") for folder in places.folders):
                continue
            path = Path(one.path)
            try:
                here = path.stat()
            except OSError:
                continue
            # A process in a container names its files as it sees them; here that is another file, or none.
            if (here.st_dev, here.st_ino) == (one.device, one.inode):
                _keep(path, f"open in {program}", sights)


def _look_at_folders(places: Places, aside: Sequence[str], sights: Sights) -> None:
    wanted = [Wanted((f"{folder}/**/*",)) for folder in places.folders]
    scan = Discovery(wanted).scan(now_ns=time.time_ns())
    oldest = time.time() - QUIET_SECONDS
    for seen in scan.seen:
        path = Path(seen.path)
        if seen.path.startswith(tuple(aside)) or _is_rotated(path) or not seen.size:
            continue
        if seen.mtime_ns / 1e9 >= oldest:
            _keep(path, "written lately", sights)
    for shut, reason in scan.skipped.items():
        if "ermission" in reason:
            sights.unreadable.setdefault(shut, mending_command(shut))


def _keep(path: Path, why: str, sights: Sights) -> None:
    if path in sights.files or str(path).endswith(COMPRESSED):
        return
    try:
        is_log = not look_into(str(path)) and path.stat().st_size > 0
    except OSError:
        sights.unreadable.setdefault(str(path), mending_command(str(path)))
        return
    if is_log:
        sights.files[path] = why


def _is_rotated(path: Path) -> bool:
    return any((path.parent / name).exists() for name in live_names(path.name))


def _look_at_containers(places: Places, sights: Sights) -> None:
    for folder, pattern, layout, name in (
        (places.kubernetes, "*.log", "cri", "containers"),
        (places.docker, "*/*-json.log", "docker", "docker"),
    ):
        try:
            count = sum(1 for _ in folder.glob(pattern)) if folder.is_dir() else 0
        except OSError:
            count = 0
        if count:
            sights.containers.append((name, f"{folder}/{pattern}", layout, count))
        elif folder.exists() and not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
            sights.unreadable.setdefault(f"{folder}/", mending_command(f"{folder}/"))


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
