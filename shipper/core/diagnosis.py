"""What the facts of a host mean for the agent: findings, with the command that mends each.

Pure: the facts are gathered elsewhere (adapters/host.py), so every broken host
can be a row of a test. Owns the findings about the kernel's limits, file
systems, descriptors, clock and disk; those about the endpoint are
diagnosis_endpoint.py's, those about the state and the files
diagnosis_state.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

Level = Literal["ok", "warn", "fail"]

ENOUGH_WATCHES: Final = 524_288
ENOUGH_INSTANCES: Final = 1_024
SHORT_QUEUE: Final = 4_096  # change events; the kernel's default is 16384
OWN_DESCRIPTORS: Final = 64  # the agent's own: database, sockets, change events, its log
LEAST_FREE_BYTES: Final = 64 << 20
LEAST_FREE_INODES: Final = 100
CLOCK_WARN_SECONDS: Final = 5.0
CLOCK_FAIL_SECONDS: Final = 3_600.0

_IN_MEMORY: Final = frozenset(("tmpfs", "ramfs"))
_LAYERED: Final = frozenset(("overlay", "aufs", "unionfs"))


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at.

    Attributes:
        check: What kind of thing: permissions, inotify, endpoint, ...
        level: fail makes the exit status 1; warn is worth a look.
        text: What was found, with both numbers where two are compared.
        why: What follows from it; empty where nothing does.
        mend: The command, or the key of agent.yaml, that mends it.
    """

    check: str
    level: Level
    text: str
    why: str = ""
    mend: str = ""


class Watches(msgspec.Struct, frozen=True):
    """The kernel's limits of change events, and what is taken of them; None where it cannot be read.

    Attributes:
        needed: Directories that the sources name, and the state folder.
        used_watches, used_instances: By the same user's other processes, as far as they can be seen.
        scan_seconds: How often a directory without a watch is looked at.
    """

    needed: int
    max_watches: int | None
    max_instances: int | None
    max_queued: int | None
    used_watches: int
    used_instances: int
    scan_seconds: float


class Place(msgspec.Struct, frozen=True):
    """A directory and its file system.

    Attributes:
        kind: Type of the file system, as in /proc/self/mountinfo; empty where it cannot be told.
        silent: Whether changes that are made elsewhere give no events there.
    """

    path: str
    kind: str
    silent: bool = False


class Descriptors(msgspec.Struct, frozen=True):
    """How many files the agent may hold open.

    Attributes:
        most: Its limit, as far as it may raise that by itself.
        wanted: `limits.open_files`.
        connections: `endpoint.concurrency`.
        running: Whether this is the limit of the running agent, not of the shell.
    """

    most: int
    wanted: int
    connections: int
    running: bool


class Room(msgspec.Struct, frozen=True):
    """What is free where the state lies; *inodes* is None on file systems that do not count them."""

    path: str
    bytes: int
    inodes: int | None
    wanted: int


def watches(facts: Watches) -> Iterator[Finding]:
    """Judge the limits of change events."""
    later = f"directories without a watch are looked at every {facts.scan_seconds:g} s: lines come later, none is lost"
    fine = True
    if facts.max_watches is not None and facts.needed + facts.used_watches > facts.max_watches:
        fine = False
        text = (
            f"{_count(facts.needed, 'directory needs a watch', 'directories need a watch each')}; "
            f"fs.inotify.max_user_watches is {facts.max_watches} and {facts.used_watches} are in use"
        )
        yield Finding("inotify", "warn", text, later, _sysctl("fs.inotify.max_user_watches", ENOUGH_WATCHES))
    if facts.max_instances is not None and facts.used_instances >= facts.max_instances:
        fine = False
        text = f"fs.inotify.max_user_instances is {facts.max_instances} and {facts.used_instances} are in use"
        yield Finding("inotify", "warn", text, later, _sysctl("fs.inotify.max_user_instances", ENOUGH_INSTANCES))
    if facts.max_queued is not None and facts.max_queued < SHORT_QUEUE:
        fine = False
        text = f"fs.inotify.max_queued_events is {facts.max_queued}, under {SHORT_QUEUE}"
        why = "a burst of changes overflows it, and only the next scan finds what is new"
        yield Finding("inotify", "warn", text, why, _sysctl("fs.inotify.max_queued_events", 16_384))
    if facts.max_watches is None:
        text = "the limits of change events cannot be read (/proc/sys/fs/inotify)"
        yield Finding("inotify", "warn", text, later)
    elif fine:
        text = f"{facts.needed} watches are needed, {facts.max_watches} allowed, {facts.used_watches} in use"
        yield Finding("inotify", "ok", text)


def _sysctl(name: str, value: int) -> str:
    return f"sysctl -w {name}={value} && echo {name}={value} > /etc/sysctl.d/90-shipper.conf"


def log_file_systems(places: Sequence[Place], scan_seconds: float) -> Iterator[Finding]:
    """Judge where the logs lie."""
    plain = dict[str, int]()
    for place in places:
        if place.silent:
            yield Finding(
                "file systems", "warn",
                f"{place.path} is on {place.kind}, which gives no change events: it is looked at every "
                f"{scan_seconds:g} s",
                "a file that comes and goes between two looks is not seen",
                "poll: 1s in that source of agent.yaml, where that is too slow",
            )  # fmt: skip
        elif place.kind in _IN_MEMORY:
            yield Finding(
                "file systems", "warn", f"{place.path} is on {place.kind}, in memory",
                "its logs are gone with a reboot: what was not delivered by then is lost",
            )  # fmt: skip
        else:
            plain[place.kind or "unknown"] = plain.get(place.kind or "unknown", 0) + 1
    for kind, count in sorted(plain.items()):
        layered = "; what is changed below it gives no event, and the next scan finds it" if kind in _LAYERED else ""
        yield Finding("file systems", "ok", f"{_count(count, 'folder', 'folders')} with logs on {kind}{layered}")


def state_file_system(place: Place) -> Iterator[Finding]:
    """Judge where the offsets lie."""
    elsewhere = "state_dir: a folder on a local disk, in agent.yaml"
    where = f"state_dir {place.path} is on {place.kind}"
    if place.silent:
        yield Finding(
            "file systems", "fail", where, "locks and syncs of a network file system cannot be relied on: offsets "
            "can be damaged, or two agents run on them", elsewhere,
        )  # fmt: skip
    elif place.kind in _IN_MEMORY:
        yield Finding(
            "file systems", "warn", f"{where}, in memory",
            "after a reboot nothing is known of what was sent: files are read again from their beginning", elsewhere,
        )  # fmt: skip
    elif place.kind in _LAYERED:
        yield Finding(
            "file systems", "warn", f"{where}, a container's own layer",
            "offsets are gone with the container: files are read again from their beginning",
            "mount a volume there",
        )  # fmt: skip
    else:
        yield Finding("file systems", "ok", f"state_dir {place.path} is on {place.kind or 'an unknown file system'}")


def descriptors(facts: Descriptors) -> Iterator[Finding]:
    """Judge the limit of open files."""
    needed = facts.wanted + facts.connections + OWN_DESCRIPTORS
    whose = "the running agent" if facts.running else "a process started from here"
    if facts.most >= needed:
        text = f"limits.open_files is {facts.wanted}, and {whose} may hold {facts.most}"
        yield Finding("descriptors", "ok", text)
        return
    yield Finding(
        "descriptors", "fail",
        f"limits.open_files is {facts.wanted}, which takes {needed} descriptors with the agent's own; "
        f"{whose} may hold {facts.most}",
        "past that no file can be opened, and none of the waiting ones is read",
        f"LimitNOFILE={max(65_536, needed)} in the service (systemctl edit shipper), ulimit -Hn in a shell, or "
        f"limits.open_files: {max(8, facts.most - facts.connections - OWN_DESCRIPTORS)} in agent.yaml",
    )  # fmt: skip


def clock(skew_seconds: float | None, synchronised: bool | None) -> Iterator[Finding]:
    """Judge the clock.

    Args:
        skew_seconds: How far it is ahead of the endpoint's; None where that has the same clock, or says no time.
        synchronised: Whether the kernel counts it as kept by NTP; None where it cannot be asked.
    """
    mend = "timedatectl set-ntp true"
    if skew_seconds is not None and abs(skew_seconds) > CLOCK_WARN_SECONDS:
        level: Level = "fail" if abs(skew_seconds) > CLOCK_FAIL_SECONDS else "warn"
        side = "ahead of" if skew_seconds > 0 else "behind"
        text = f"this host's clock is {abs(skew_seconds):.0f} s {side} the endpoint's"
        why = "events carry a wrong time; far enough behind, they are taken for older than the 24 h that are accepted"
        yield Finding("clock", level, text, why, mend)
    elif skew_seconds is not None:
        yield Finding("clock", "ok", f"within {max(1, round(abs(skew_seconds)))} s of the endpoint's")
    if synchronised is False:
        why = "it drifts: events of this host and of others do not line up"
        yield Finding("clock", "warn", "the clock is not kept by NTP", why, mend)
    elif synchronised:
        yield Finding("clock", "ok", "kept by NTP")


def disk(room: Room) -> Iterator[Finding]:
    """Judge the space where the state lies."""
    free = f"{size_text(room.bytes)} are free at state_dir {room.path}"
    why = "offsets cannot be saved on a full disk: nothing is lost, but after a crash more is sent twice"
    mend = f"make room: df -h {room.path}"
    if room.bytes < LEAST_FREE_BYTES:
        yield Finding("disk", "fail", f"{free}, under {size_text(LEAST_FREE_BYTES)}", why, mend)
    elif room.inodes is not None and room.inodes < LEAST_FREE_INODES:
        mend = f"remove small files: df -i {room.path}"
        yield Finding("disk", "fail", f"{room.inodes} inodes are free at state_dir {room.path}", why, mend)
    elif room.bytes < room.wanted:
        text = f"{free}; dead letters and spill may take {size_text(room.wanted)}"
        mend = "lower dead_letters.max_bytes or limits.spill in agent.yaml, or " + mend
        yield Finding("disk", "warn", text, why, mend)
    else:
        yield Finding("disk", "ok", free)


def size_text(count: int) -> str:
    """Return *count* bytes for a person: `1.5 GiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
