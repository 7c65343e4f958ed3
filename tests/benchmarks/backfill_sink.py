"""The endpoint that tests/benchmarks/backfill.py sends to: it takes everything, and counts how often each came."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

from tests.benchmarks.asked_sink import AskedSink

_NUMBER = re.compile(rb'"content":"[^"\\]*\\"GET /item/(\d+)\?')


class Sink:
    """Takes everything; with *numbers* it counts how often each line has come."""

    def __init__(self, numbers: int) -> None:
        self.seen = bytearray(numbers)
        self.events = self.requests = 0
        self.first_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer 204 to every request."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
                body = await reader.readexactly(length)
                self.first_at = self.first_at or time.time()
                self.requests += 1
                self.events += body.count(b'"content":')
                for number in _NUMBER.findall(body) if self.seen else ():
                    self.seen[int(number)] += 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def figures(self) -> dict[str, float]:
        """Return what came."""
        return {
            "events": self.events,
            "requests": self.requests,
            "first_at": self.first_at,
            "missing": self.seen.count(0),
            "twice": len(self.seen) - self.seen.count(0) - self.seen.count(1),
            "surplus": sum(self.seen) - (len(self.seen) - self.seen.count(0)),
        }


async def sink(numbers: int) -> None:
    """Serve until standard input closes; each line there is answered with the figures."""
    served = Sink(numbers)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, limit=1 << 24)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(served.figures()), flush=True)


class SinkProcess(AskedSink):
    """Such a process; with *numbers* it counts how often each line has come."""

    def __init__(self, numbers: int = 0) -> None:
        super().__init__("tests.benchmarks.backfill_sink", str(numbers))


if __name__ == "__main__":
    asyncio.run(sink(int(sys.argv[1])))
