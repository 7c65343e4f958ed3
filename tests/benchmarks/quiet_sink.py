"""An endpoint that costs next to nothing: reads heads, throws bodies away unseen, answers 204.

Run as a process of its own (`python -m tests.benchmarks.quiet_sink`). It
prints its port when it listens; each line on standard input is answered with
requests, bytes and its own CPU seconds as JSON, and its end ends it. Bodies
are dropped in the kernel (MSG_TRUNC) where that can be done, so that what a
sender costs is not mixed up with what a receiver does.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

from tests.benchmarks.asked_sink import AskedSink

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
ROOM = bytearray(1 << 20)


class Caller:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.head = b""
        self.left = 0
        self.requests = self.bytes = 0

    def read(self) -> bool:
        """Take what has come; return whether there may be more."""
        if self.left:
            gone = self.connection.recv_into(ROOM, min(self.left, len(ROOM)), socket.MSG_TRUNC)
            self.left -= gone
            self.bytes += gone
            if gone and not self.left:
                self._answer()
            return gone > 0
        more = self.connection.recv(4096)
        self.head += more
        head, found, body = self.head.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            self.head, self.left = b"", length - len(body)
            self.bytes += len(body)
            if not self.left:
                self._answer()
        return bool(more)

    def _answer(self) -> None:
        self.requests += 1
        self.connection.sendall(ANSWER)


def serve() -> None:
    """Serve until standard input ends."""
    waiting = selectors.DefaultSelector()
    listening = socket.create_server(("127.0.0.1", 0))
    waiting.register(listening, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    print(listening.getsockname()[1], flush=True)
    callers: list[Caller] = []
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listening:
                callers.append(Caller(listening.accept()[0]))
                waiting.register(callers[-1].connection, selectors.EVENT_READ, callers[-1])
            elif isinstance(key.data, Caller):
                if not key.data.read():
                    waiting.unregister(key.data.connection)
                    key.data.connection.close()
            elif not sys.stdin.readline():
                return
            else:
                requests, size = sum(each.requests for each in callers), sum(each.bytes for each in callers)
                print(json.dumps({"requests": requests, "bytes": size, "cpu": time.process_time()}), flush=True)


class QuietSink(AskedSink):
    """Such a process."""

    def __init__(self) -> None:
        super().__init__("tests.benchmarks.quiet_sink")


if __name__ == "__main__":
    serve()
