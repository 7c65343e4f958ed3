"""20,000 lines a second, a rotation five times a second, an endpoint that flaps: what is lost, does memory stay flat.

`python -m tests.benchmarks.rotation_storm rename|copytruncate [SECONDS] [KEPT]`: SECONDS (600) of it, KEPT (50) rotated
files in a chain of numbers, so that one is gone ten seconds after its last line. The endpoint is there for half a
second of each: in the other half it answers 503, or its port is closed and every connection cut, in turn. The
agent runs as installed but for a retry that begins at 100 ms. One line of JSON:

- `missing`: lines that stood in a file and did not arrive, less nothing: for a rename it must be none;
- `between_copy_and_truncation`: lines that no file has held when the agent could look (the writer knows);
- `lost_bytes_declared`, `spill`: what the agent says, in its totals and its log;
- `cut`, `strange`: lines that arrived in part, and what nobody wrote;
- `rss_mb`: at the end of each tenth of the time, and the most.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from shipper.adapters.control import NoAgent, ask
from tests.benchmarks.many_files import cpu_seconds, rss_mb
from tests.benchmarks.rotation_writer import LINE_BYTES, number_of
from tests.http_loop import HttpLoop, Request

LINES_PER_SECOND: Final = 20_000
ROTATION_SECONDS: Final = 0.2
FLAP_SECONDS: Final = 0.5
QUIET_SECONDS: Final = 40.0  # a look at everything may be 30 s away where the last event was lost
PATIENCE_SECONDS: Final = 300.0


class _Event(msgspec.Struct):
    content: str


class FlappingEndpoint(HttpLoop):
    """Takes events or does not; remembers by number what it acknowledged, a byte a line."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.arrivals = bytearray(lines)
        self.delivered = self.duplicated = 0
        self.cut: list[str] = []
        self.strange: list[str] = []
        self.up = True
        self.last_at = time.monotonic()
        self._decoder = msgspec.json.Decoder(list[_Event])

    async def flap(self) -> None:
        """Once a second, for half of it: refuse, or be gone."""
        while True:
            await asyncio.sleep(FLAP_SECONDS)
            self.up = False
            await asyncio.sleep(FLAP_SECONDS)
            self.up = True
            await asyncio.sleep(FLAP_SECONDS)
            await self.stop()
            await asyncio.sleep(FLAP_SECONDS)
            await self.start()

    async def answer(self, request: Request) -> bool:
        """Take it, if this half of the second is a good one."""
        up, writer = self.up, request.writer
        if up:
            # Counted as delivered before the answer is out: one that is cut off is sent again.
            self._take(self._decoder.decode(request.body))
        writer.write(b"HTTP/1.1 204 X\r\n\r\n" if up else b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return True

    def _take(self, events: Sequence[_Event]) -> None:
        self.last_at = time.monotonic()
        for event in events:
            number = number_of(event.content)
            if number is None or number >= len(self.arrivals):
                (self.cut if event.content in _LINE_PIECE else self.strange).append(event.content[:LINE_BYTES])
            elif self.arrivals[number]:
                self.duplicated += 1
                self.arrivals[number] = min(self.arrivals[number] + 1, 255)
            else:
                self.arrivals[number] = 1
                self.delivered += 1


class _Pieces:
    """Whether a text is the beginning or the end of a line of the writer."""

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and bool(
            re.fullmatch(r"storm [0-9]{1,10}( [0-9a-f]*)?( x*)?|s|st|sto|stor|storm ?|[0-9a-f ]{0,27}x*", text)
        )


_LINE_PIECE: Final = _Pieces()


def write_config(folder: Path, port: int) -> Path:
    """Write what is run: the defaults, but for a retry that begins sooner."""
    path = folder / "agent.yaml"
    document = {
        "state_dir": str(folder / "state"),
        "endpoint": {"url": f"http://127.0.0.1:{port}/v2/logs/ingest", "retry": {"initial": "100ms", "max": "1s"}},
        "sources": [{"name": "storm", "paths": [f"{folder}/logs/app.log"], "format": "raw"}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


async def storm(folder: Path, mode: str, seconds: float, kept: int) -> dict[str, object]:
    """Return the figures of one run."""
    (folder / "logs").mkdir()
    endpoint = FlappingEndpoint(int(seconds * LINES_PER_SECOND * 1.01) + LINES_PER_SECOND)
    await endpoint.start()
    config = write_config(folder, endpoint.port)
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen([sys.executable, "-m", "shipper", "run", "-c", str(config)], stdout=log, stderr=log)
    flapping = asyncio.create_task(endpoint.flap())
    try:
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.rotation_writer", str(folder / "logs" / "app.log"), mode,
            str(seconds), str(LINES_PER_SECOND), str(ROTATION_SECONDS), str(kept),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        # What was rotated before an agent first looked is left alone, and not what is measured here.
        while not endpoint.delivered:
            await asyncio.sleep(0.05)
        sampling = asyncio.create_task(_memory(agent.pid))
        said, _ = await writer.communicate(b"\n")
        truth = json.loads(said)
        drained = await _quiet(endpoint, int(truth["written"]))
        sampling.cancel()
        totals = await asyncio.to_thread(_totals, folder / "state")
        cpu = cpu_seconds(agent.pid)
        agent.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(agent.wait, 60)
    finally:
        flapping.cancel()
        if agent.poll() is None:
            agent.kill()
        await endpoint.stop()
    return _figures(endpoint, truth, totals, folder / "agent.log") | {
        "mode": mode, "kept": kept, "exit_status": status, "agent_cpu_seconds": round(cpu, 1),
        "drained_after_seconds": round(drained, 1), "rss_mb": _tenths(_SAMPLES),
    }  # fmt: skip


_SAMPLES: list[float] = []


async def _memory(pid: int) -> None:
    while True:
        await asyncio.sleep(1.0)
        _SAMPLES.append(rss_mb(pid))


def _tenths(samples: Sequence[float]) -> dict[str, object]:
    step = max(len(samples) // 10, 1)
    return {"each_tenth": [round(value, 1) for value in samples[step - 1 :: step]], "peak": round(max(samples), 1)}


async def _quiet(endpoint: FlappingEndpoint, written: int) -> float:
    """Wait until all has arrived, or nothing has for a while; return how long that took."""
    started = time.monotonic()
    while endpoint.delivered < written and time.monotonic() - started < PATIENCE_SECONDS:
        if time.monotonic() - max(endpoint.last_at, started) > QUIET_SECONDS:
            break
        await asyncio.sleep(0.2)
    return time.monotonic() - started


def _totals(state: Path) -> dict[str, object]:
    try:
        answer = cast("dict[str, dict[str, object]]", ask(state, "status", {}, 30.0))
    except NoAgent:
        return {}
    return answer["totals"]


def _figures(
    endpoint: FlappingEndpoint, truth: dict[str, object], totals: dict[str, object], log: Path
) -> dict[str, object]:
    written = cast("int", truth["written"])
    unseen = bytearray(written)
    for first, end in cast("list[tuple[int, int]]", truth["gaps"]):
        unseen[first:end] = b"\1" * (end - first)
    missing = [number for number in range(written) if not endpoint.arrivals[number] and not unseen[number]]
    said = log.read_text(encoding="utf-8", errors="replace")
    return {
        "written": written,
        "lines_per_second": round(written / cast("float", truth["seconds"])),
        "rotations": truth["rotations"],
        "delivered": endpoint.delivered,
        "duplicated": endpoint.duplicated,
        "between_copy_and_truncation": sum(unseen),
        "missing": len(missing),
        "missing_spans": _spans(missing)[:20],
        "cut": len(endpoint.cut),
        "strange": len(endpoint.strange),
        "strange_first": endpoint.strange[:3],
        "lost_bytes_declared": totals.get("lost_bytes"),
        "lost_lines_declared": cast("int", totals.get("lost_bytes") or 0) / LINE_BYTES,
        "dropped_bytes": totals.get("dropped_bytes"),
        "events_said": {name: said.count(f"event={name} ") for name in sorted(set(re.findall(r"event=(\w+) ", said)))},
    }


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number:
            spans[-1] = (spans[-1][0], number + 1)
        else:
            spans.append((number, number + 1))
    return spans


def main(mode: str, seconds: float, kept: int) -> None:
    """Measure and print one line of JSON; with STORM_FOLDER set, leave everything there."""
    if folder := os.environ.get("STORM_FOLDER"):
        figures = asyncio.run(storm(Path(folder), mode, seconds, kept))
    else:
        with tempfile.TemporaryDirectory(prefix="rotation-storm-") as made:
            figures = asyncio.run(storm(Path(made), mode, seconds, kept))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(
        sys.argv[1],
        float(sys.argv[2]) if len(sys.argv) > 2 else 600.0,
        int(sys.argv[3]) if len(sys.argv) > 3 else 50,
    )
