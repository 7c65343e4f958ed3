"""Recounts the files against the ledger: are the bytes, and the records in them, what was read and acknowledged?

Reads the store's snapshot and the files, and changes neither; beside a
running agent, a file that moved on meanwhile is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from shipper.adapters.offsets import Life
from shipper.adapters.offsets_snapshot import Ledger, Snapshot
from shipper.core.converter import Converter
from shipper.core.framing import Framer
from shipper.core.ledger import Entry, digest_of, total
from shipper.core.ledger_audit import BytesCheck, Disagreement, Fault, audit, recount_differs
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.errors import SourceError
from shipper.pipeline.accounts import figures
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.remains import Inode, Remains, find

READ_BYTES: Final = 1 << 20
TURNS: Final = 3  # at a file that a running agent goes on with meanwhile

Readings = Mapping[str, SourceReading]


class Verified(msgspec.Struct, kw_only=True):
    """What was found of one generation.

    Attributes:
        path: Where its bytes stand now; where it was last seen, if they are gone.
        verdict: ``agrees``, ``disagrees``, or ``gone``: its bytes cannot be read any more, its rows agree.
        spans, bytes: Of its ledger.
        checked_bytes: Of them, those that were compared with the file.
        agreed_spans: Of them, those whose bytes are as they were.
        recounted: Records that were counted again.
        figures: Of the ledger: records by fate, bytes by the reason for which they were passed over.
        notes: What could not be checked, and why.
    """

    id: str
    source: str
    path: str
    verdict: str
    spans: int
    bytes: int
    checked_bytes: int = 0
    agreed_spans: int = 0
    recounted: int = 0
    figures: dict[str, int] = {}
    disagreements: list[Disagreement] = []
    notes: list[str] = []


def verify(
    snapshot: Snapshot, readings: Readings, guard: MatchGuard, wanted: Callable[[Life], bool]
) -> Iterator[Verified]:
    """Give what was found of each generation that is *wanted*, by file and generation."""
    lives = snapshot.lives()
    newest: dict[Inode, FileKey] = {}
    for life, _ in lives:
        inode = (life.device, life.inode)
        newest[inode] = max(newest.get(inode, life.key), life.key)
    for life, _ in lives:
        if wanted(life):
            taken = {inode for inode, key in newest.items() if key != life.key}
            yield from _settled(snapshot, life.key, readings, guard, taken)
    for key in snapshot.orphans():
        yield _without_row(key, snapshot.spans(key))


def _settled(
    snapshot: Snapshot, key: FileKey, readings: Readings, guard: MatchGuard, taken: set[Inode]
) -> Iterator[Verified]:
    """Give what was found of *key*; again where rows or file changed under our hands."""
    for turn in range(TURNS):
        ledger = snapshot.ledger(key)
        if ledger is None:
            return
        found = _verify_one(ledger, readings.get(ledger.life.source), guard, taken)
        last = turn == TURNS - 1
        if last or not found.disagreements or snapshot.ledger(key) == ledger:
            yield found
            return


def _without_row(key: FileKey, entries: list[Entry]) -> Verified:
    start, end = entries[0].start, entries[-1].end
    wrong = Disagreement(Fault.NO_FILE_ROW, start, end, "these spans belong to no file of the store")
    return Verified(
        id=_name(key), source="", path="", verdict="disagrees", spans=len(entries), bytes=end - start,
        figures=total(entries), disagreements=[wrong],
    )  # fmt: skip


def _verify_one(ledger: Ledger, reading: SourceReading | None, guard: MatchGuard, taken: set[Inode]) -> Verified:
    life, entries = ledger.life, ledger.spans
    found = Verified(
        id=_name(life.key), source=life.source, path=life.path, verdict="agrees", spans=len(entries),
        bytes=life.offset, figures=total(entries), disagreements=audit(entries, life.offset), notes=[],
    )  # fmt: skip
    remains = find(life, taken) if entries else None
    if remains is not None:
        with remains:
            found.path = remains.path
            Recount(life, reading, guard, remains, found).run(entries)
            if not remains.certain and _is_another(found, life):
                found.disagreements = audit(entries, life.offset)
                found.checked_bytes = found.recounted = 0
                remains = None
    if entries and remains is None:
        found.verdict = "gone"
        found.notes.append("no file with its bytes is left to be read: its figures stand, unverified")
    if found.disagreements:
        found.verdict = "disagrees"
        found.disagreements.sort(key=lambda wrong: (wrong.start, wrong.end))
    return found


def _is_another(found: Verified, life: Life) -> bool:
    """Return whether what stands under the name has been truncated: it is shorter, and no span of it is as it was."""
    faults = {wrong.fault for wrong in found.disagreements}
    return found.checked_bytes < life.offset and Fault.BYTES_MISSING in faults and not found.agreed_spans


class Recount:
    """One generation, span by span."""

    def __init__(
        self, life: Life, reading: SourceReading | None, guard: MatchGuard, remains: Remains, found: Verified
    ) -> None:
        """Write what is seen into *found*; *reading* is None for a source that is configured no more."""
        self._reading = reading
        self._guard = guard
        self._remains = remains
        self._found = found
        carry = msgspec.json.decode(life.carry, type=Carry) if life.carry else Carry()
        self._carry = Carry(encoding=carry.encoding)
        path = life.path.encode("utf-8", "backslashreplace").decode()
        self._facts = FileFacts(life.key, path, path.rpartition("/")[2], life.mtime_ns // 1_000_000)

    def run(self, entries: list[Entry]) -> None:
        """Look at every span."""
        untold = 0
        for entry in entries:
            try:
                untold += self._look_at(entry)
            except SourceError as error:
                self._note(f"not read from byte {entry.start:,} on: {error}")
                return
        if untold:
            self._note(f"of {untold:,} bytes only the account is kept, not what they were")

    def _look_at(self, entry: Entry) -> int:
        """Check one span; return how many of its bytes nothing is known of."""
        check = BytesCheck(entry)
        if not check.can_tell:
            return entry.end - entry.start
        counting = self._counting(entry)
        digest = entry.seed
        for piece in self._pieces(entry):
            digest = digest_of(piece, digest)
            check.feed(digest, piece)
            if counting is not None:
                counting.feed(piece)
            self._found.checked_bytes += len(piece)
        wrong = check.result()
        self._found.agreed_spans += wrong is None
        if wrong is None and counting is not None:
            counted = counting.finish()
            self._carry = counting.carry
            self._found.recounted += counted.get("read", 0)
            wrong = recount_differs(entry, counted)
        if wrong is not None:
            self._found.disagreements.append(wrong)
        return 0

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        at = entry.start
        for stop in (*entry.cuts, entry.end):
            while at < stop:
                piece = self._remains.read_at(at, min(READ_BYTES, stop - at))
                if not piece:
                    return
                yield piece
                at += len(piece)

    def _counting(self, entry: Entry) -> _Counting | None:
        if entry.dropped or not entry.fingerprint:
            return None
        if self._reading is None:
            self._note("its source is configured no more: bytes are compared, records are not counted again")
            return None
        if self._reading.chooses:
            self._carry = msgspec.structs.replace(self._carry, layout=entry.layout)
        converter = self._reading.converter(entry.layout)
        framed_by = converter
        if converter.fingerprint != entry.fingerprint:
            converter = self._reading.bypass()
        if converter.fingerprint != entry.fingerprint:
            self._note("its rules have changed since: bytes are compared, records are not counted again")
            return None
        return _Counting(entry, framed_by, converter, self._facts, self._carry, self._guard)

    def _note(self, text: str) -> None:
        if text not in self._found.notes:
            self._found.notes.append(text)


class _Counting:
    """The records of one span, counted as the agent counts them."""

    def __init__(
        self,
        entry: Entry,
        framed_by: Converter,
        converter: Converter,
        facts: FileFacts,
        carry: Carry,
        guard: MatchGuard,
    ) -> None:
        self.carry = carry
        self._converter = converter
        self._facts = facts
        self._now_ms = entry.read_ms
        self._guard = guard
        self._cuts = {cut for cut in entry.cuts if cut < entry.end}
        self._framer = Framer(framed_by.rule, entry.start, carry)
        self._counted = Counter[str]()

    def feed(self, piece: bytes) -> None:
        chunks = self._framer.feed(piece)
        if self._framer.read_offset in self._cuts:
            chunks += self._framer.close()
        self._count(chunks)

    def finish(self) -> Counter[str]:
        self._count(self._framer.close())
        return self._counted

    def _count(self, chunks: list[Chunk]) -> None:
        if self._framer.encoding and self._framer.encoding != self.carry.encoding:
            self.carry = msgspec.structs.replace(self.carry, encoding=self._framer.encoding)
        for chunk in chunks:
            encoded = self._guard.convert(self._converter, chunk, self._facts, self.carry, self._now_ms)
            self.carry = encoded.carry
            self._counted.update(figures(encoded))


def _name(key: FileKey) -> str:
    return f"{key.file_id}.{key.generation}"
