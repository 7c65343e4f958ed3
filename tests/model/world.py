"""A folder of logs whose writers rotate, an agent over it that may crash, and the truth about what was written."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import lzma
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from unittest.mock import patch

import zstandard

from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.model.clockwork import clockwork
from tests.model.endpoint import POISON, Endpoint
from tests.model.ground_truth import Line, Truth

STREAMS: Final = ("a", "b", "c")
KEPT: Final = 3
QUIET_SECONDS: Final = 400.0  # longer than any wait: retries, Retry-After, a request that hangs, the slowest scan
BUDGET: Final = 4 << 20  # limits.memory, the least there may be
SLACK: Final = 2 << 20
PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress,
}  # fmt: skip


class World:
    """Everything that happens; one at a time.

    Attributes:
        truth: What was written.
        endpoint: What was taken.
        agent: While it is up.
        known: Streams of which the agent has seen a file: from then on it finds what was rotated meanwhile.
        may_repeat: Whether something may have come twice: after a crash, or where an answer was lost.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.runner = self._stack.enter_context(clockwork())
        self.logs, self.old = self.folder / "logs", self.folder / "logs" / "old"
        self.old.mkdir(parents=True)
        self.truth, self.endpoint = Truth(), Endpoint()
        self.agent: Agent | None = None
        self.may_repeat = False
        self.said: list[str] = []
        self.unfinished: dict[str, tuple[Path, str]] = {}
        self.known: set[str] = set()
        self._places: dict[tuple[int, int], list[Line]] = {}
        self._held: list[Line] = []
        for name in ("gc.freeze", "gc.set_threshold"):  # hundreds of starts in one process: nothing is to be kept
            self._stack.enter_context(patch(name))
        self._write_config()
        self.start()

    def end(self) -> None:
        """Leave nothing behind."""
        if self.agent is not None:
            self.crash()
        self._stack.close()

    def _write_config(self) -> None:
        source = {"name": "app", "paths": [f"{self.logs}/*.log", f"{self.old}/*"], "format": "raw"}
        (self.folder / "agent.yaml").write_text(
            json.dumps(
                {
                    "state_dir": str(self.folder / "state"),
                    "endpoint": {"target_request_bytes": "4KiB", "retry": {"initial": "1s", "max": "20s"}},
                    "limits": {"memory": BUDGET, "open_files": 8, "spill": "64MiB"},
                    "monitoring": {"port": 0},
                    "sources": [source],
                }
            )
        )

    # -- the agent ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, with the scripted endpoint in place of the one on the network."""

        async def started() -> Agent:
            agent = Agent(
                load(self.folder / "agent.yaml", {}), Journal(self.said.append), watching=False
            )  # fmt: skip
            await agent.start()
            agent.parts.output.exchange(self.endpoint, agent.parts.config.endpoint.timeout_seconds)
            return agent

        self.agent = self.runner.run(started())

    def stop(self) -> None:
        """Let it drain, save and end."""
        agent, self.agent = self.agent, None
        if agent is not None:
            self.runner.run(agent.stop(10.0))
            self._let_go()
            self.may_repeat = True  # what was on its way after the ten seconds is sent again

    def crash(self) -> None:
        """Take it away as it stands: nothing more is saved."""
        agent, self.agent = self.agent, None
        if agent is None:
            return

        async def gone() -> bool:
            parts = agent.parts
            parts.committer.save = _never  # type: ignore[method-assign]
            parts.following.stopping = True
            return await agent.stop(0)

        self.runner.run(gone())
        self._let_go()
        self.may_repeat = True

    def _let_go(self) -> None:
        """With the agent's descriptors goes what stood only behind them, if it was not delivered or kept."""
        self.truth.may_be_lost |= {(one.stream, one.number) for one in self._held}
        self._held.clear()

    def advance(self, seconds: float) -> None:
        """Let time pass."""

        async def pass_by() -> None:
            if self.agent is not None:
                await self.agent._tasks.until(asyncio.sleep(seconds))
            else:
                await asyncio.sleep(seconds)

        scans = self._scans
        self.runner.run(pass_by())
        if self._scans > scans:
            self.known |= {stream for stream in STREAMS if self.path(stream).exists()}

    @property
    def _scans(self) -> int:
        return self.agent.scans if self.agent is not None else 0

    # -- the writers -------------------------------------------------------------------------------

    def path(self, stream: str) -> Path:
        """Return where *stream* is written to."""
        return self.logs / f"{stream}.log"

    def write(self, stream: str, count: int, padding: int, *, poison: bool = False) -> None:
        """Append whole lines; a line that was left unfinished is finished first."""
        self.finish(stream)
        lines = [self.truth.new(stream, padding) for _ in range(count)]
        if poison:
            bad = lines[count // 2]
            lines[count // 2] = bad._replace(text=f"{bad.text}{POISON}")
            self.truth.lines[bad.stream, bad.number] = lines[count // 2]
        self._append(self.path(stream), "".join(one.text + "\n" for one in lines), lines)

    def write_in_pieces(self, stream: str, cut: int) -> None:
        """Append the beginning of a line; `finish` appends the rest."""
        self.finish(stream)
        one = self.truth.new(stream, 60, cut)
        head, rest = one.text[: one.cuts[0]], one.text[one.cuts[0] :] + "\n"
        self._append(self.path(stream), head, [one])
        self.unfinished[stream] = self.path(stream), rest

    def finish(self, stream: str) -> None:
        """Append the rest of an unfinished line, to the file that it was begun in, whatever that is called now."""
        path, rest = self.unfinished.pop(stream, (None, ""))
        if path is not None:
            self._append(path, rest, [])

    def _append(self, path: Path, text: str, lines: list[Line]) -> None:
        with path.open("a") as file:
            file.write(text)
        status = path.stat()
        self._places.setdefault((status.st_dev, status.st_ino), []).extend(lines)

    # -- rotation ----------------------------------------------------------------------------------

    def rotate(self, stream: str) -> None:
        """Rename: .2 to .3, .1 to .2, the live file to .1; what was .3 is deleted."""
        self.finish(stream)
        if not self.path(stream).exists():
            return
        self._forgive(stream)
        self._make_room(stream)
        self.path(stream).rename(self.logs / f"{stream}.log.1")

    def copy_truncate(self, stream: str) -> None:
        """Copy the live file to .1 and truncate it, with nothing written in between."""
        self.finish(stream)
        live = self.path(stream)
        if not live.exists():
            return
        self._forgive(stream)
        self._make_room(stream)
        self._unsettle(live)
        copy = self.logs / f"{stream}.log.1"
        shutil.copyfile(live, copy)
        self._places[_identity(copy)] = self._places.pop(_identity(live), [])
        with live.open("r+b") as file:
            file.truncate(0)

    def _forgive(self, stream: str) -> None:
        """A file that is rotated before the agent has ever seen one of its stream is nobody's."""
        if stream not in self.known:
            lines = self._places.get(_identity(self.path(stream)), [])
            self.truth.may_be_lost |= {(one.stream, one.number) for one in lines}

    def _make_room(self, stream: str) -> None:
        for number in range(KEPT, 0, -1):
            for path in self.logs.glob(f"{stream}.log.{number}*"):
                if number == KEPT:
                    self.delete(path)
                else:
                    path.rename(path.with_name(path.name.replace(f".log.{number}", f".log.{number + 1}")))

    def compress(self, stream: str, number: int, ending: str) -> None:
        """Put a compressed file in the place of a rotated one."""
        path = self.logs / f"{stream}.log.{number}"
        if path.exists():
            self._unsettle(path)
            packed = path.with_name(path.name + ending)
            packed.write_bytes(PACKERS[ending](path.read_bytes()))
            self._places[_identity(packed)] = self._places.pop(_identity(path), [])
            path.unlink()

    def move_away(self, stream: str, number: int) -> None:
        """Move a rotated file to another folder that is watched too."""
        path = self.logs / f"{stream}.log.{number}"
        if path.exists():
            self._unsettle(path)
            path.rename(self.old / f"{path.name}-{len(list(self.old.iterdir())):03}")

    def _unsettle(self, path: Path) -> None:
        taken = set(self.endpoint.taken)
        lines = self._places.get(_identity(path), [])
        self.truth.in_any_order |= {(one.stream, one.number) for one in lines if one.text not in taken}

    def delete(self, path: Path) -> None:
        """Delete a file; what nobody could have read any more may be lost."""
        identity = _identity(path)
        lines = self._places.pop(identity, [])
        if self._is_held(identity):
            self._held += lines
        else:
            self.truth.may_be_lost |= {(one.stream, one.number) for one in lines}
        path.unlink()

    def recreate(self, stream: str) -> None:
        """Delete the live file; its writer begins a new one under its name."""
        self.finish(stream)
        if self.path(stream).exists():
            self.delete(self.path(stream))
            taken = set(self.endpoint.taken)  # what a copy holds of it is found after what is written now
            waiting = {key for key, one in self.truth.lines.items() if one.text not in taken}
            self.truth.in_any_order |= {key for key in waiting if key[0] == stream}
        self.write(stream, 1, 20)

    def _is_held(self, identity: tuple[int, int]) -> bool:
        """Return whether the agent has the file open, so that deleting it takes nothing away from it."""
        followed = self.agent.parts.tailer.followed.values() if self.agent is not None else ()
        return any((one.device, one.inode) == identity and one.file is not None for one in followed)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


async def _never() -> bool:
    return False
