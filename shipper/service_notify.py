"""The word to the service manager: ready, reloading, stopping, alive, and a line of status.

systemd's notification protocol (sd_notify(3)): datagrams of `NAME=value` lines
to the socket that `NOTIFY_SOCKET` names. Without one, nothing is said. It
stands beside errors.py, and imports nothing of ours, because the agent and the
endpoint, which share nothing else, both need it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final, Self

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Says things to the service manager; never blocks and never fails, since whoever listens may be gone.

    Attributes:
        watchdog_seconds: Silence for longer than this gets us killed; None where nobody watches.
    """

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        """*address* is a path, or a name after `@` in the abstract name space; None for nobody."""
        self.watchdog_seconds = watchdog_seconds
        self._address = "\0" + address[1:] if address is not None and address.startswith("@") else address
        self._socket: socket.socket | None = None

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """Return what *environ* asks for, and take it out of there: our children are not the service."""
        address, microseconds, pid = (environ.pop(name, "") for name in _VARIABLES)
        watched = microseconds.isdecimal() and int(microseconds) > 0 and pid in ("", str(os.getpid()))
        heard = address.startswith(("/", "@"))
        return cls(address if heard else None, int(microseconds) / 1e6 if heard and watched else None)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is done."""
        self._send("READY=1", f"STATUS={status}" if status else "")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We drain and stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show *text*, one line, in `systemctl status`."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Everything goes round."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Start-up or stopping goes on: give it *seconds* from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def close(self) -> None:
        """Say nothing any more."""
        connection, self._socket, self._address = self._socket, None, None
        if connection is not None:
            connection.close()

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        text = "\n".join(" ".join(line.splitlines()) for line in lines if line)
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            self._socket.sendto(text.encode("utf-8", "backslashreplace"), self._address)
        except OSError:  # a full queue, or a manager that was restarted: the next word may get through
            return
