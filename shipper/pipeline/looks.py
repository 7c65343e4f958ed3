"""Looks at the directories in a thread, and gives up waiting for one that does not answer.

A look that gets on does not hang, however long it takes: there may be very
many files. What a look finds that hung is not used: files were read since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from shipper.adapters.discovery import Discovery, Scan
from shipper.adapters.discovery_siblings import Place
from shipper.config import Source
from shipper.core.follow import Answer, Known, Question, questions
from shipper.pipeline.contents import Answers

SCANS_TO_SETTLE: Final = 20  # for so long after a rotation compressed files and other directories are looked at

SCAN_PATIENCE_SECONDS: Final = 10.0  # for a look at all directories; twice as long after one that took longer
LONGEST_PATIENCE_SECONDS: Final = 300.0
LONGEST_LOOK: Final = 600.0  # seconds, of a look that gets on


class Look(NamedTuple):
    """What was found, and what the questions came to that it raised."""

    scan: Scan
    answers: dict[Question, Answer | None]

    @property
    def hopeful(self) -> bool:
        """Whether a compressed file is not whole yet: it may be the copy of one that is missing."""
        return any(question.packed and found is None for question, found in self.answers.items())


class Looks:
    """Owns the look that is under way, and for how long looks are wide; used between the tailer's turns only."""

    def __init__(self, sources: Sequence[Source], discovery: Discovery, wake: Callable[[], None]) -> None:
        """Look as *discovery* does for the files of *sources*; *wake* is called when a look that hung is over."""
        self.exchange(sources, discovery)
        self._wake = wake
        self._answers = Answers()
        self._hung: asyncio.Future[Look] | None = None
        self._looking_since = 0.0
        self._patience_seconds = SCAN_PATIENCE_SECONDS
        self._answered_questions = 0

    def exchange(self, sources: Sequence[Source], discovery: Discovery) -> None:
        """Go by other sources from the next look on."""
        self._raw = {source.name for source in sources if source.binary == "always"}
        self._discovery = discovery
        self.settle_anew()

    def settle_anew(self) -> None:
        """Look at compressed files and other directories too, for some scans from now on."""
        self._settling = SCANS_TO_SETTLE

    @property
    def hangs(self) -> bool:
        """Whether a look does not answer."""
        return self._hung is not None and not self._hung.done()

    def hung_seconds(self, now: float) -> float:
        """Return for how long a look at the directories has hung; 0 where none does."""
        return now - self._looking_since if self.hangs else 0.0

    @property
    def at(self) -> str:
        """The directory at which the look stands."""
        return self._discovery.at

    async def look(self, known: list[Known], now_ms: int) -> Look | None:
        """Look at every directory for *known* files and others, while no other hangs; None where this one does."""
        self._hung = None  # what it has found is too old by now: files were read since
        self._looking_since = time.monotonic()
        looking = asyncio.ensure_future(asyncio.to_thread(self._look, known, now_ms))
        before = -1
        while not looking.done() and before != self._steps and time.monotonic() - self._looking_since < LONGEST_LOOK:
            before = self._steps  # while it gets on it does not hang: there may be very many files
            await asyncio.wait({looking}, timeout=self._patience_seconds)
        if not looking.done():
            self._hung = looking
            self._patience_seconds = min(self._patience_seconds * 2, LONGEST_PATIENCE_SECONDS)
            looking.add_done_callback(self._answered)
            return None
        look = looking.result()
        unsettled = look.scan.unsettled or look.hopeful
        self._settling = SCANS_TO_SETTLE if unsettled else max(self._settling - 1, 0)
        return look

    def _answered(self, looking: asyncio.Future[Look]) -> None:
        if not looking.cancelled():
            looking.exception()
        self._wake()

    def _look(self, known: list[Known], now_ms: int) -> Look:
        places = {
            (k.device, k.inode): Place(k.path, 0 if k.packed else k.offset, k.packed, k.source in self._raw)
            for k in known
            if not (k.orphan or k.done) and (k.open or not k.kept)
        }
        paths = {k.path for k in known if not k.done}
        wide = self._settling > 0 or any(k.suspect and k.offset for k in known)
        scan = self._discovery.scan(paths, places, now_ns=now_ms * 1_000_000, wide=wide)
        asked = questions(known, scan.seen)
        return Look(scan, self._answers.to(map(self._step, asked), scan.seen))

    def _step(self, question: Question) -> Question:
        self._answered_questions += 1
        return question

    @property
    def _steps(self) -> int:
        """Files that looks have come to so far."""
        return self._discovery.steps + self._answered_questions
