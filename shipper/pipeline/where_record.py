"""What a source's rules make of the record that a byte stands in: sent, left out by which rule, or kept home."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.offsets import Life
from shipper.core.converter import Converter
from shipper.core.framing import Framer
from shipper.core.ledger import Entry
from shipper.core.model import Carry, Chunk, FileFacts, Reading, Span
from shipper.core.rule import Rule
from shipper.core.whereabouts import Fate
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.remains import Remains

LOOK_BACK_BYTES: Final = 1 << 18
READ_BYTES: Final = 1 << 16


class Ruled(NamedTuple):
    """What the rules say.

    Attributes:
        fate: DELIVERED, FILTERED or DEAD_LETTER; None where they have changed since and cannot tell.
        why: Which rule, and how it stands in the configuration.
        span: Of the record.
    """

    fate: Fate | None
    why: str
    span: Span | None


def ask_the_rules(
    life: Life, entry: Entry, remains: Remains, offset: int, reading: SourceReading | None, guard: MatchGuard
) -> Ruled:
    """Read the record in which *offset* stands once more, as it was read."""
    if reading is None:
        return Ruled(None, "its source is configured no more: which of them this is cannot be told", None)
    converter = reading.converter(entry.layout)
    if entry.fingerprint and converter.fingerprint != entry.fingerprint:
        return Ruled(None, "its rules have changed since: which of them this is cannot be told", None)
    carry = msgspec.json.decode(life.carry, type=Carry) if life.carry else Carry()
    carry = Carry(encoding=carry.encoding, layout=entry.layout if reading.chooses else "")
    path = life.path.encode("utf-8", "backslashreplace").decode()
    facts = FileFacts(life.key, path, path.rpartition("/")[2], life.mtime_ns // 1_000_000)
    found = _chunk_at(entry, remains, offset, converter, carry)
    if found is None:
        return Ruled(None, "its record cannot be found again", None)
    chunk, carry = found
    made = guard.read(converter, chunk, facts, carry, entry.read_ms)
    sent = _covering(made, offset)
    if sent is not None:
        return Ruled(Fate.DELIVERED, "", sent)
    kept = next((one for one in made.refused if one.span.start <= offset < one.span.end), None)
    if kept is not None:
        return Ruled(Fate.DEAD_LETTER, f"{kept.reason}: {kept.detail}", kept.span)
    return _filtered(converter, chunk, facts, carry, entry, offset, guard)


def _filtered(
    converter: Converter,
    chunk: Chunk,
    facts: FileFacts,
    carry: Carry,
    entry: Entry,
    offset: int,
    guard: MatchGuard,
) -> Ruled:
    """Say which rule left the record out: it is there once keep and drop are taken away."""
    rule = converter.rule
    everything = Converter(msgspec.structs.replace(rule, keep=(), drop=()))
    span = _covering(guard.read(everything, chunk, facts, carry, entry.read_ms), offset)
    if span is None:
        return Ruled(Fate.FILTERED, "a blank or directive line: there is nothing to send", None)
    data = chunk.data[span.start - chunk.start : span.end - chunk.start]
    text = data.decode(carry.encoding or "utf-8", "backslashreplace").rstrip("\r\n")
    return Ruled(Fate.FILTERED, _rule_that_left_out(rule, text), span)


def _rule_that_left_out(rule: Rule, text: str) -> str:
    if rule.keep and not any(re.search(pattern, text) for pattern in rule.keep):
        which = f"{rule.keep[0]!r} does not match" if len(rule.keep) == 1 else "none of its patterns matches"
        return f"sources.{rule.source}.keep: {which}"
    for index, pattern in enumerate(rule.drop):
        if re.search(pattern, text):
            return f"sources.{rule.source}.drop[{index}]: {pattern!r} matches"
    return "left out by the rules of its source"


def _covering(made: Reading, offset: int) -> Span | None:
    return next((one.span for one in made.produced if one.span.start <= offset < one.span.end), None)


def _chunk_at(
    entry: Entry, remains: Remains, offset: int, converter: Converter, carry: Carry
) -> tuple[Chunk, Carry] | None:
    """Return the chunk of whole records in which *offset* stands, framed from a little before it."""
    begin = _begin(entry, remains, offset)
    framer = Framer(converter.rule, begin, carry)
    at = begin
    while at < entry.end:
        stop = min([entry.end, at + READ_BYTES, *(cut for cut in entry.cuts if cut > at)])
        data = remains.read_at(at, stop - at)
        at += len(data)
        chunks = framer.feed(data)
        if not data or at in entry.cuts or at == entry.end:
            chunks += framer.close()
        for chunk in chunks:
            if chunk.start <= offset < chunk.end:
                if framer.encoding and not carry.encoding:
                    carry = msgspec.structs.replace(carry, encoding=framer.encoding)
                return chunk, carry
        if not data:
            return None
    return None


def _begin(entry: Entry, remains: Remains, offset: int) -> int:
    """Return a place near before *offset* at which a record, or at least a line, begins."""
    before = [cut for cut in entry.cuts if cut <= offset]
    begin = max([entry.start, *before])
    if offset - begin <= LOOK_BACK_BYTES:
        return begin
    begin = offset - LOOK_BACK_BYTES
    head = remains.read_at(begin, LOOK_BACK_BYTES)
    newline = head.find(b"\n")
    return begin + newline + 1 if newline >= 0 else offset
