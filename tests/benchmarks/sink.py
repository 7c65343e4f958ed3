"""An endpoint that takes everything: HTTP/1.1, answers 204, counts events and remembers when they came.

Run as a process of its own (`python -m tests.benchmarks.sink`), so that its
CPU time is not the shipper's. It prints `port N` when it listens; on standard
input `count` and `stamps` ask for what it has seen as one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

MARK = b'"content":'


class Sink:
    """Counts the events of the bodies it is sent."""

    def __init__(self, delay_seconds: float, keep_stamps: bool) -> None:
        self.delay_seconds = delay_seconds
        self.keep_stamps = keep_stamps
        self.events = self.requests = self.body_bytes = 0
        self.last_at = 0.0
        self.arrivals: list[tuple[float, list[str]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
                body = await reader.readexactly(length)
                self._take(body)
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(b"HTTP/1.1 204 No Content\r\nServer: sink\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _take(self, body: bytes) -> None:
        self.events += body.count(MARK)
        self.requests += 1
        self.body_bytes += len(body)
        self.last_at = time.time()
        if self.keep_stamps:
            self.arrivals.append((self.last_at, [event["content"] for event in json.loads(body)]))


async def main(delay_seconds: float, keep_stamps: bool) -> None:
    """Serve until standard input closes."""
    sink = Sink(delay_seconds, keep_stamps)
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=1 << 24)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while question := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        answer: object = (
            vars(sink) if question == "stamps" else {k: v for k, v in vars(sink).items() if k != "arrivals"}
        )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0, "stamps" in sys.argv[2:]))
