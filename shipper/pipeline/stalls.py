"""Looks whether everything moves, mends what does not, and says so in the agent's health.

Files are looked at by a stat of their own, a part of them at a time, so that
neither a dead watcher nor a scan that hangs can hide that one has grown.
What is tried against a stall is core/stalls.py's decision. Who waits by
design (the endpoint, a rate limit, a full disk) is no stall.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from shipper.adapters.files import size_of
from shipper.core.model import FileKey
from shipper.core.stalls import Excuse, Look, Standing, Step, judge
from shipper.pipeline.assembly import Parts
from shipper.pipeline.followed import Followed
from shipper.pipeline.health import Colour
from shipper.pipeline.journal import Journal
from shipper.pipeline.supervise import Beats

LOOK_SECONDS: Final = 5.0
SCANS_OF_PATIENCE: Final = 2
LEAST_PATIENCE_SECONDS: Final = 5.0
MOST_FILES_A_LOOK: Final = 2000
ENDPOINT_RED_SECONDS: Final = 300.0


class Stalls:
    """Owns what is remembered between two looks; used from the event loop only."""

    def __init__(self, parts: Parts, journal: Journal, beats: Beats, now_ms: Callable[[], int]) -> None:
        """Look at *parts*; the loops are heard by *beats*."""
        self._parts = parts
        self._journal = journal
        self._beats = beats
        self._now_ms = now_ms
        self._beat = beats.of("stalls")
        self._standings: dict[FileKey, Standing] = {}
        self._left: list[Followed] = []
        self._looking: asyncio.Future[list[int | None]] | None = None
        self._bytes_read = 0
        self._nothing_moves = False

    @property
    def patience_seconds(self) -> float:
        """For how long a file may stand still: a scan would have found it by then."""
        return max(self._parts.following.longest_pause_seconds * SCANS_OF_PATIENCE, LEAST_PATIENCE_SECONDS)

    def ails(self) -> list[str]:
        """Return why the agent had better be started anew; a file system that hangs is no reason."""
        ails = [f"the loop {name} does not go round" for name in self._beats.silent()]
        if self._nothing_moves:
            ails.append("files have grown and none is read")
        return ails

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._beat()
            await self.look()
            await asyncio.sleep(min(LOOK_SECONDS, self.patience_seconds / 4, self._beats.every_seconds))

    async def look(self) -> None:
        """Look at a part of the files, the requests, the scan, the loops and the state, once."""
        self._look_at_loops()
        self._look_at_endpoint()
        self._look_at_state()
        await self._look_at_files()

    # -- files ---------------------------------------------------------------------------------------

    async def _look_at_files(self) -> None:
        parts = self._parts
        if parts.following.stopping:
            return
        looked_at = self._next_files()
        sizes = await self._sizes(looked_at)
        moved = parts.conversion.counters["bytes_read"] != self._bytes_read
        self._bytes_read = parts.conversion.counters["bytes_read"]
        stuck = 0
        for followed, size in zip(looked_at, sizes, strict=True):
            if followed.key not in self._standings and (size is None or size <= followed.read_offset):
                continue  # nothing is amiss, as nearly always
            if self._judge(followed, size, others_move=moved) is Step.LEAVE and followed.ahead is None:
                stuck += 1
        self._nothing_moves = bool(stuck) and not moved

    def _next_files(self) -> list[Followed]:
        """Return those that stood still at the last look, and some more: all of them in a few looks."""
        followed = self._parts.tailer.followed
        for key in [key for key in self._standings if key not in followed or not followed[key].live]:
            self._forget(key)
        if not self._left:
            self._left = [one for one in followed.values() if one.live]
        chosen, self._left = self._left[:MOST_FILES_A_LOOK], self._left[MOST_FILES_A_LOOK:]
        still = [followed[key] for key in self._standings]
        return list({one.key: one for one in still + chosen if one.live and one.key in followed}.values())

    async def _sizes(self, files: list[Followed]) -> list[int | None]:
        """Return their sizes on disk; None for all while a file system does not answer."""
        if self._looking is None:
            asked = [(one.path, one.device, one.inode) for one in files]
            self._looking = asyncio.ensure_future(asyncio.to_thread(lambda: [size_of(*one) for one in asked]))
            done, _ = await asyncio.wait({self._looking}, timeout=LOOK_SECONDS)
            if done:
                looking, self._looking = self._looking, None
                return looking.result()
        elif self._looking.done():
            self._looking = None  # of other files, and too old
        return [one.size for one in files]

    def _judge(self, followed: Followed, size: int | None, *, others_move: bool) -> Step:
        tailer, now = self._parts.tailer, time.monotonic()
        excuse = tailer.excuse_of(followed)
        if excuse is Excuse.TURN and not others_move:
            excuse = None
        hangs = followed.ahead is not None and not followed.ahead.done()
        standing, step = judge(
            Look(size, followed.read_offset, excuse, hangs), self._standings.get(followed.key), now,
            self.patience_seconds,
        )  # fmt: skip
        if standing is None:
            self._standings.pop(followed.key, None)
        else:
            self._standings[followed.key] = standing
        if step is Step.HEALED:
            self._over(followed)
        elif step is not Step.NOTHING and standing is not None and size is not None:
            self._mend(followed, size, now - standing.first_since, step, hangs=hangs)
        return step

    def _mend(self, followed: Followed, size: int, seconds: float, step: Step, *, hangs: bool) -> None:
        what = "a read of it hangs" if hangs else "it is not read"
        text = f"{followed.path}: grew to {size} bytes, {what} from {followed.read_offset} on; tried: {step.value}"
        self._parts.health.raise_("file_stalled", text, source=followed.source, file=followed.path)
        if step is not Step.LEAVE:
            self._journal.say(
                "file_stalled", source=followed.source, file=followed.path, size=size, offset=followed.read_offset,
                seconds=seconds, remedy=step.value,
            )  # fmt: skip
        following = self._parts.following
        if step is Step.READ:
            self._parts.tailer.reads.again(followed)
        elif step is Step.REOPEN:
            self._parts.tailer.reads.give_up(followed)
            self._parts.tailer.look_at(followed)
        elif step is Step.WATCHER:
            following.restart_watcher()
        if step is not Step.LEAVE:
            following.scan_soon()

    def _over(self, followed: Followed) -> None:
        if self._parts.health.clear("file_stalled", source=followed.source, file=followed.path):
            self._journal.say("file_goes_on", source=followed.source, file=followed.path, offset=followed.read_offset)

    def _forget(self, key: FileKey) -> None:
        """The file is followed no more under its name: what was said of it is over."""
        del self._standings[key]
        reasons = self._parts.health.view().reasons
        known = {(one.source, one.path) for one in self._parts.tailer.followed.values() if one.key in self._standings}
        for reason in reasons:
            if reason.code == "file_stalled" and (reason.source, reason.file) not in known:
                self._parts.health.clear("file_stalled", source=reason.source, file=reason.file)

    # -- everything else -----------------------------------------------------------------------------

    def _look_at_loops(self) -> None:
        silent = self._beats.silent()
        text = f"does not go round: {', '.join(silent)}; only a restart helps"
        self._say_if(bool(silent), "loop_silent", text)
        now, patience = time.monotonic(), self.patience_seconds
        hanging = [
            f"{path} ({now - since:.0f} s)"
            for path, since in self._parts.tailer.reads.hanging.values()
            if now - since > patience
        ]
        self._say_if(
            bool(hanging),
            "file_system_hangs",
            f"{', '.join(hanging)}: does not answer; other files of its file system wait",
        )
        hung = self._parts.census.looks.hung_seconds(now)
        where = self._parts.census.looks.at
        self._say_if(
            hung > 0, "scan_hangs",
            f"{where}: does not answer for {hung:.0f} s: no file is found there until it does, those known are read",
        )  # fmt: skip
        hidden = self._hidden()
        self._say_if(
            bool(hidden) and not hung, "files_hidden",
            f"{hidden[0] if hidden else ''}: cannot be looked at ({len(hidden)} followed files);"
            " what is open is read on, none counts as deleted",
            Colour.YELLOW,
        )  # fmt: skip
        watcher = self._parts.watcher
        if watcher is not None and not watcher.runs and not self._parts.following.stopping:
            self._parts.following.restart_watcher()

    def _hidden(self) -> list[str]:
        """Return the paths of followed files of which the last scan could see nothing."""
        followed = self._parts.tailer.followed
        return sorted(followed[key].path for key in self._parts.census.hidden if key in followed)

    def _look_at_endpoint(self) -> None:
        output, endpoint = self._parts.output, self._parts.sender.health
        self._say_if(
            output.hangs, "request_hung", f"{output.given_up} requests hung beyond their timeout and were given up",
            Colour.YELLOW,
        )  # fmt: skip
        waits = endpoint.state not in ("answering", "unknown")
        late = waits and self._now_ms() - endpoint.since_ms > ENDPOINT_RED_SECONDS * 1000
        self._say_if(
            waits, "endpoint_waits", f"the endpoint is {endpoint.state}: {endpoint.message}; nothing is lost by that",
            Colour.RED if late else Colour.YELLOW,
        )  # fmt: skip

    def _look_at_state(self) -> None:
        failing = self._parts.committer.failing
        self._say_if(failing is not None, "state_not_saved", f"{failing}; reading waits, nothing is lost")

    def _say_if(self, ails: bool, code: str, text: str, colour: Colour = Colour.RED) -> None:
        if ails:
            self._parts.health.raise_(code, text, colour=colour)
        else:
            self._parts.health.clear(code)
