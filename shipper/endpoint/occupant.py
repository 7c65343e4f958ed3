"""Who has a port that is taken: the process, where this user may see it, and what it calls itself in HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
ASK_SECONDS: Final = 0.5
_LISTENS: Final = "0A"  # state TCP_LISTEN in /proc/net/tcp
_HEAD_BYTES: Final = 4096
_SHOWN: Final = 60
_ONEAGENT: Final = "oneagent"
_INTERPRETERS: Final = ("python", "java", "node", "ruby", "perl")  # what they run says more than their names


class Occupant(NamedTuple):
    """Whoever listens there.

    Attributes:
        program: Name of its program; empty where that cannot be seen.
        pid: Of its process; 0 where that cannot be seen.
        server: The `Server` header that it answers with; empty for none.
    """

    program: str = ""
    pid: int = 0
    server: str = ""

    @property
    def is_oneagent(self) -> bool:
        """Whether it is known to be one."""
        return self.program.startswith(_ONEAGENT)

    def __str__(self) -> str:
        who = f"{self.program} (process {self.pid})" if self.pid else "a program that this user may not see"
        return f"{who}, which answers as {self.server!r}" if self.server else who


def occupant_of(port: int, proc: Path = PROC) -> Occupant:
    """Return what is known of the program that listens on TCP *port* of this host."""
    pid = _listening(port, proc)
    return Occupant(_name(pid, proc) if pid else "", pid, _server(port))


def _listening(port: int, proc: Path) -> int:
    wanted = {f"socket:[{inode}]" for inode in _sockets(port, proc)}
    for folder in proc.glob("[0-9]*") if wanted else ():
        with suppress(OSError):  # it is another user's, or has ended
            if any(str(link.readlink()) in wanted for link in (folder / "fd").iterdir()):
                return int(folder.name)
    return 0


def _sockets(port: int, proc: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _name(pid: int, proc: Path) -> str:
    try:
        name = (proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
        command = (proc / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return ""
    words = [word[:_SHOWN] for word in command[1:3]] if name.startswith(_INTERPRETERS) else []
    return " ".join(one for one in (name, *words) if one and one.isprintable())


def _server(port: int) -> str:
    """Return the `Server` header of an answer; empty where none comes in time, or it is not HTTP."""
    head = b""
    try:
        with socket.create_connection(("localhost", port), ASK_SECONDS) as asking:
            asking.settimeout(ASK_SECONDS)
            asking.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            while len(head) < _HEAD_BYTES and b"\r\n\r\n" not in head and (piece := asking.recv(_HEAD_BYTES)):
                head += piece
    except OSError:
        pass
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "server":
            return "".join(one for one in value.strip() if one.isprintable())[:_SHOWN]
    return ""
