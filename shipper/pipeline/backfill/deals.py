"""Which piece is read next, and by whom: files from the oldest on, large plain ones cut at record borders.

Within a file nothing is sent before what stands before it has arrived, unless
order is not asked for: later pieces are converted meanwhile and held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from shipper.adapters.texts import Text, open_text
from shipper.core.model import Carry, FileKey, Span
from shipper.core.plan import OPEN_END
from shipper.core.restart import RestartPoint
from shipper.core.shipped import carry_at, with_settled
from shipper.errors import SourceError
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.protocol import Moved, Piece
from shipper.pipeline.backfill.stamps import Places

ORDERED_BYTES: Final = 2 << 20  # a worker holds four such pieces and their events
UNORDERED_BYTES: Final = 8 << 20

_decode_carry = msgspec.json.Decoder(Carry).decode

PlacesOf = Callable[[Job, Text], Places]


class Run:
    """One file while it is being sent.

    Attributes:
        out: Pieces that are dealt and not finished, in file order, and up to where each is settled.
        error: Why it is given up; empty while it is not.
        packed_offset: How far the file on disk was read.
        points: Restart points that were found while it is sent.
    """

    def __init__(self, job: Job) -> None:
        """Nothing is dealt yet."""
        self.job = job
        self.left = deque(job.todo)
        self.out: dict[int, Piece] = {}
        self.upto: dict[int, int] = {}
        self.error = ""
        self.events = 0
        self.done_bytes = 0
        self.packed_offset = 0
        self.points: list[RestartPoint] = []

    @property
    def finished(self) -> bool:
        """Whether nothing more comes of it."""
        return not self.left and not self.out

    def moved(self, moved: Moved) -> None:
        """Take a worker's report."""
        shipped = self.job.shipped
        shipped.settled = with_settled(shipped.settled, moved.settled)
        self.done_bytes += moved.upto - self.upto.get(moved.number, moved.upto)
        self.upto[moved.number] = moved.upto
        self.events += moved.counts.get("acked", 0)
        self.packed_offset = max(self.packed_offset, moved.packed_offset)
        self.points += moved.points

    def fail(self, error: str) -> list[int]:
        """Give the file up; return the pieces that are to be dropped."""
        self.error = self.error or error
        self.left.clear()
        return list(self.out)


class Deals:
    """Owns the runs; deals one piece after the other.

    Attributes:
        all_runs: The files, in order.
        runs: Those that are not finished.
        failed: Files that could not be cut, until somebody gives them up.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        window: Window,
        *,
        cut: bool,
        ordered: bool,
        places_of: PlacesOf,
        points_of: Callable[[Job], list[RestartPoint]],
        now_ms: Callable[[], int],
    ) -> None:
        """Deal *jobs*, in their order.

        *cut*: large plain files are cut; *ordered*: order within a file holds.
        """
        self.failed: list[Run] = []
        self.all_runs = [Run(job) for job in jobs if job.todo]
        self.runs = list(self.all_runs)
        self._window = window
        self._cut = cut
        self._ordered = ordered
        self._places_of = places_of
        self._points_of = points_of
        self._now_ms = now_ms
        self._number = 0
        self._waiting: deque[Piece] = deque()
        self._by_number: dict[int, Run] = {}
        self._pieces = self._all_pieces()

    def run_of(self, number: int) -> Run | None:
        """Return the file that a dealt piece belongs to; None where it was dropped."""
        return self._by_number.get(number)

    def next(self) -> Piece | None:
        """Return the next piece; None where everything is dealt."""
        while True:
            piece = self._waiting.popleft() if self._waiting else next(self._pieces, None)
            if piece is None:
                return None
            run = self._by_number.get(piece.number)
            if run is None:
                continue  # of a file that was given up meanwhile
            first = next(iter(run.out)) == piece.number
            return msgspec.structs.replace(piece, hold=False) if piece.hold and first else piece

    def put_back(self, piece: Piece) -> None:
        """Deal *piece* first: there was no room for it yet."""
        self._waiting.appendleft(piece)

    def again(self, number: int) -> None:
        """Deal what is left of a piece whose worker is gone."""
        run = self._by_number.pop(number)
        piece, upto = run.out[number], run.upto[number]
        self._number += 1
        carry = carry_at(run.job.shipped.settled, upto)
        begin_carry = piece.carry if upto == piece.begin else _decode_carry(carry) if carry else run.job.carry
        again = msgspec.structs.replace(
            piece, number=self._number, begin=upto, carry=begin_carry,
            points=[*self._points_of(run.job), *run.points] if run.job.planned.packing else [],
        )  # fmt: skip
        run.out = {self._number if old == number else old: again if old == number else run.out[old] for old in run.out}
        run.upto[self._number] = upto
        self._by_number[self._number] = run
        self._waiting.append(again)

    def finished(self, number: int) -> int | None:
        """Take a piece out; return the one of its file that may be sent now."""
        run = self._by_number.pop(number)
        del run.out[number]
        if run.finished and run in self.runs:
            self.runs.remove(run)
        return next(iter(run.out), None)

    def give_up(self, run: Run, error: str) -> list[int]:
        """Give a file up; return its pieces that workers still have."""
        dropped = run.fail(error)
        for number in dropped:
            self._by_number.pop(number, None)
        run.out.clear()
        self.runs = [each for each in self.runs if each is not run]
        return dropped

    # -- cutting ---------------------------------------------------------------------------------------

    def _all_pieces(self) -> Iterator[Piece]:
        for run in list(self.runs):
            yield from self.pieces_of(run)
            if run.error:
                self.failed.append(run)

    def pieces_of(self, run: Run) -> Iterator[Piece]:
        """Deal the pieces of one file; where it cannot be read, its `error` says so."""
        text: Text | None = None
        try:
            if self._cut and run.job.can_be_cut:
                text = open_text(run.job.place)
            yield from self._pieces_of(run, text)
        except SourceError as error:
            run.error = str(error)
        finally:
            if text is not None:
                text.close()

    def _pieces_of(self, run: Run, text: Text | None) -> Iterator[Piece]:
        job = run.job
        places = self._places_of(job, text) if text is not None else None
        while run.left:
            span = run.left.popleft()
            begin = span.start
            saved = carry_at(job.shipped.settled, begin)
            carry = _decode_carry(saved) if saved else self._first_carry(job, begin)
            while begin < span.end:
                end = self._cut_at(places, begin, span.end)
                if end < span.end:
                    run.left.appendleft(Span(end, span.end))
                yield self._piece(run, begin, end, carry, cut=places is not None)
                if end < span.end:
                    if not run.left:
                        return  # the file was given up
                    run.left.popleft()
                    carry = places.carry_at(end) if places is not None else carry
                begin = end

    def _first_carry(self, job: Job, begin: int) -> Carry:
        if not begin or job.length is None or job.planned.packing:
            return job.carry
        text = open_text(job.place)
        try:
            return self._places_of(job, text).carry_at(begin)
        finally:
            text.close()

    def _cut_at(self, places: Places | None, begin: int, end: int) -> int:
        size = ORDERED_BYTES if self._ordered else UNORDERED_BYTES
        at = begin + size
        while places is not None and at + size // 2 < end:
            border = places.record_at(at, end)
            if border is not None:
                return border
            at += size
        return end

    def _piece(self, run: Run, begin: int, end: int, carry: Carry, *, cut: bool) -> Piece:
        self._number += 1
        job, window = run.job, self._window
        facts = msgspec.structs.replace(job.facts, key=FileKey(job.shipped.file_id, 0))
        piece = Piece(
            number=self._number, place=job.place, source=job.source, facts=facts, begin=begin, end=end, carry=carry,
            since_ms=window.since_ms, until_ms=window.until_ms, disorder_ms=window.disorder_ms,
            hold=self._ordered and bool(run.out), now_ms=self._now_ms() if cut and self._ordered else 0,
            points=self._points_of(job) if job.planned.packing else [],
        )  # fmt: skip
        run.out[piece.number] = piece
        run.upto[piece.number] = begin
        self._by_number[piece.number] = run
        return piece


def weight(piece: Piece, about: int) -> int:
    """Return how many bytes of text *piece* is; of a text of about *about* bytes where its end is not known."""
    return (about if piece.end == OPEN_END else piece.end) - piece.begin
