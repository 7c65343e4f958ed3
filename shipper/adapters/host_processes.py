"""Processes of this host, from /proc: their names, open files, change-event watches and listening sockets.

What belongs to other users can be read by root only; what cannot be read is
left out, never an error: processes come and go while one looks.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_INTERPRETER: Final = re.compile(r"(?:python|ruby|java|perl|node|bash|sh)[\d.]*")
_SHOWN_CHARACTERS: Final = 40  # of an argument
_LISTENS: Final = "0A"  # state TCP_LISTEN in /proc/net/tcp
_CAPABILITIES_TO_READ: Final = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class Program(NamedTuple):
    """A process.

    Attributes:
        pid: Its number.
        name: Of its program, without a folder.
        command: Its arguments, the program first.
        user: Number of the user that it runs as.
    """

    pid: int
    name: str
    command: tuple[str, ...]
    user: int

    @property
    def is_interpreter(self) -> bool:
        """Whether its name says nothing of what it does: its arguments do."""
        return _INTERPRETER.fullmatch(self.name) is not None

    def __str__(self) -> str:
        # What an interpreter runs says more than its name.
        words = [word[:_SHOWN_CHARACTERS] for word in self.command[1:3]] if self.is_interpreter else []
        return f"{' '.join((self.name, *words))} (process {self.pid})"


class OpenLog(NamedTuple):
    """A regular file that a process holds open."""

    path: str
    device: int
    inode: int
    writes: bool


def programs(proc: Path = PROC) -> list[Program]:
    """Return every process, kernel threads left out."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            one = program(int(folder.name), proc)
            if one is not None:
                found.append(one)
    return sorted(found)


def program(pid: int, proc: Path = PROC) -> Program | None:
    """Return process *pid*; None where there is none, or it is a thread of the kernel."""
    folder = proc / str(pid)
    try:
        command = tuple(map(os.fsdecode, (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")))
        user = folder.stat().st_uid
    except OSError:
        return None
    if not command[0]:
        return None
    return Program(pid, command[0].partition(" ")[0].rpartition("/")[2].rstrip(":"), command, user)


def open_files(pid: int, proc: Path = PROC) -> Iterator[OpenLog]:
    """Yield the regular files that *pid* holds open and that still have a name."""
    folder = proc / str(pid) / "fd"
    for name, path in _links(folder):
        with suppress(OSError, ValueError):
            status = (folder / name).stat()
            if path.startswith("/") and stat.S_ISREG(status.st_mode) and not path.endswith(" (deleted)"):
                flags = _flags(proc / str(pid) / "fdinfo" / name)
                yield OpenLog(path, status.st_dev, status.st_ino, flags & os.O_ACCMODE != os.O_RDONLY)


def _links(folder: Path) -> list[tuple[str, str]]:
    """Return the descriptors of a process by name, with what each leads to; nothing where we may not see them."""
    found = []
    with suppress(OSError):
        for entry in folder.iterdir():
            with suppress(OSError):
                found.append((entry.name, str(entry.readlink())))
    return found


def _flags(path: Path) -> int:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1], 8) for line in lines if line.startswith("flags:")), 0)


def watches_of(user: int, but: int | None = None, proc: Path = PROC) -> tuple[int, int]:
    """Return the change-event instances and watches of *user*'s processes, those of process *but* left out."""
    instances = watches = 0
    for one in programs(proc):
        if one.user != user or one.pid == but:
            continue
        folder = proc / str(one.pid)
        for name, target in _links(folder / "fd"):
            if "inotify" in target:
                instances += 1
                with suppress(OSError):
                    text = (folder / "fdinfo" / name).read_text(encoding="ascii", errors="replace")
                    watches += text.count("inotify wd:")
    return instances, watches


def listener(port: int, proc: Path = PROC) -> Program | None:
    """Return who listens on TCP *port*; None for nobody, or where that cannot be seen."""
    sockets = set[str]()
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    if not sockets:
        return None
    for one in programs(proc):
        if any(target in sockets for _, target in _links(proc / str(one.pid) / "fd")):
            return one
    return None


def environment(pid: int, proc: Path = PROC) -> dict[str, str] | None:
    """Return the variables that *pid* was started with."""
    try:
        raw = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (os.fsdecode(one).partition("=") for one in raw.split(b"\0") if one)
    return {name: value for name, _, value in pairs}


def reads_everything(pid: int, proc: Path = PROC) -> bool:
    """Return whether *pid* was given the right to read files whatever their permissions (CAP_DAC_READ_SEARCH)."""
    try:
        text = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    row = next((line.split()[1] for line in text.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(row, 16) & _CAPABILITIES_TO_READ)
