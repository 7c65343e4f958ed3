"""Chunks to JSON events, fast: what the rule allows is compiled to one loop over the lines.

Whatever is rare (bytes that are no text, NULs, a line near a limit, parts of
long records, dead letters by age) is tested for the whole chunk at once and
goes to the reference reader, which this must equal. See docs/design.md, "The
way of the data".
"""

from __future__ import annotations

from typing import Final

import msgspec

from shipper.core.attributes import cut_utf8
from shipper.core.column_loop import ColumnLoop
from shipper.core.compiler import PatternLoop, can_compile
from shipper.core.container_loop import CriLoop, CriPatternLoop, DockerLoop, DockerPatternLoop
from shipper.core.containers import messages
from shipper.core.encodings import ends_line, newline_of
from shipper.core.event import ChunkState, EventRules, MatchBudget, MatchTimeout, Withheld, carry_after, oldest_of
from shipper.core.json_loop import JsonLoop
from shipper.core.ledger import fingerprint_of
from shipper.core.logfmt_loop import LogfmtLoop
from shipper.core.loop import EventLoop, Slow
from shipper.core.model import Carry, Chunk, ChunkKind, Encoded, Event, FileFacts, Reading
from shipper.core.records import RecordSplitter
from shipper.core.reference import CONTAINERS, ReferenceReader
from shipper.core.rule import RecordFormat, Rule
from shipper.core.text import ANSI_MARK, without_ansi

__all__ = ["Converter", "MatchBudget", "MatchTimeout", "compile_rule", "cut_utf8"]

_encode: Final = msgspec.json.Encoder().encode
_KEYED: Final[dict[RecordFormat, type[JsonLoop | ColumnLoop]]] = {
    RecordFormat.JSON: JsonLoop,
    RecordFormat.LOGFMT: LogfmtLoop,
    RecordFormat.CRI: CriLoop,
    RecordFormat.DOCKER: DockerLoop,
    RecordFormat.W3C: ColumnLoop,
}
_PATTERNED: Final[dict[RecordFormat, type[PatternLoop]]] = {
    RecordFormat.CRI: CriPatternLoop,
    RecordFormat.DOCKER: DockerPatternLoop,
}


class Converter:
    """Reads the chunks of one rule; one for all the files that are read by it.

    Attributes:
        fingerprint: Of the rule, for the ledger.
    """

    def __init__(self, rule: Rule) -> None:
        """Compile *rule*."""
        self.rule = rule
        self.fingerprint = fingerprint_of(rule)
        self._rules = EventRules(rule)
        self.reference = ReferenceReader(rule, self._rules)
        self._splitter = RecordSplitter(rule)
        self._loops: dict[tuple[str, ...], EventLoop | None] = {}
        limits = rule.limits
        # Where no value can be over its limit unless its line is about as long, the values need no look of their own.
        self._longest = min(limits.content_bytes, limits.value_bytes)
        if limits.value_bytes * 2 < limits.content_bytes:
            self._longest = limits.content_bytes

    def convert(self, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Return the events of *chunk* as JSON; equal to what the reference reader gives.

        Raises:
            MatchTimeout: The pipeline's timer ran out: call `convert_slowly` instead.
        """
        if chunk.kind is not ChunkKind.RECORDS or self.rule.record_id or carry.part is not None:
            return self.convert_slowly(chunk, facts, carry, now_ms)
        encoding = carry.encoding or "utf-8"
        data = chunk.data
        wide = len(newline_of(encoding)) > 1
        if not ends_line(data, encoding) or (not wide and b"\0" in data):
            return self.convert_slowly(chunk, facts, carry, now_ms)
        try:
            text = data.decode(encoding)
            if wide and "\0" in text:
                return self.convert_slowly(chunk, facts, carry, now_ms)
            if "\r" in text:
                text = text.replace("\r\n", "\n")
            if self.rule.ansi and ANSI_MARK in text:
                text = without_ansi(text)
            loop = self.loop_for(facts)
            if isinstance(loop, PatternLoop) and not loop.outer:
                return loop.run(text[:-1], facts, carry, now_ms)
            if loop is not None:
                try:
                    return loop.run(text[:-1], facts, carry, now_ms)
                except Slow:
                    loop.learn(text[:-1])
            return self._one_by_one(text[:-1], facts, carry, now_ms)
        except (UnicodeDecodeError, Slow):
            return self.convert_slowly(chunk, facts, carry, now_ms)

    def convert_slowly(
        self, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int, budget: MatchBudget | None = None
    ) -> Encoded:
        """Return the same from the reference reader; *budget* is entered around each record's matching."""
        return encode_reading(self.reference.read(chunk, facts, carry, now_ms, budget))

    def loop_for(self, facts: FileFacts) -> EventLoop | None:
        """Return the loop for files with such attributes; None where records are read one by one."""
        names = tuple(facts.attributes)
        if names not in self._loops:
            form = loop_form(self.rule, names)
            self._loops[names] = form(self._rules, self._splitter, names, self._longest) if form else None
        return self._loops[names]

    def _one_by_one(self, text: str, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Build event after event; for formats whose keys are not known before."""
        rules, limits = self._rules, self.rule.limits
        container = self.rule.format in CONTAINERS
        state = rules.state(facts, carry, now_ms, outer=container)
        events: list[Event] = []
        if container:
            units = [(m.text, m.outer) for m in messages(text.split("\n"), self.rule.format, self._splitter)]
        else:
            units = [(record, None) for record in self._splitter.split(text)]
        # Each on its own: what stands escaped in an ASCII line need not be ASCII.
        if any(len(unit) * (1 if unit.isascii() else 4) > limits.content_bytes for unit, _ in units):
            raise Slow
        for record, outer in units:
            try:
                event = rules.build(record, state, outer)
                if rules.mask and len(str(event["content"])) * 4 > limits.content_bytes:
                    raise Slow
                events.append(event)
            except Withheld as verdict:
                if verdict.refused:
                    raise Slow from None
                state.leave_out(verdict.reason)
        return _encoded(events, state, carry)


def _encoded(events: list[Event], state: ChunkState, carry: Carry) -> Encoded:
    return Encoded(
        json=memoryview(_encode(events))[1:-1] if events else b"",
        events=len(events),
        records=len(events),
        carry=carry_after(state, carry),
        filtered=state.filtered,
        oldest_ms=oldest_of(state),
        trimmed=state.trimmed,
        restamped=state.restamped,
        unparsed=state.unparsed,
        pattern_timeouts=state.pattern_timeouts,
    )


def encode_reading(reading: Reading) -> Encoded:
    """Return a reading with its events as JSON."""
    events = [produced.event for produced in reading.produced]
    return Encoded(
        json=memoryview(_encode(events))[1:-1] if events else b"",
        events=len(events),
        records=reading.records,
        carry=reading.carry,
        parts=reading.parts,
        filtered=reading.filtered,
        refused=reading.refused,
        oldest_ms=reading.oldest_ms,
        trimmed=reading.trimmed,
        bad_bytes=reading.bad_bytes,
        nul_bytes=reading.nul_bytes,
        restamped=reading.restamped,
        unparsed=reading.unparsed,
        pattern_timeouts=reading.pattern_timeouts,
    )


def compile_rule(rule: Rule) -> Converter:
    """Return the converter for *rule*; its patterns are known to compile."""
    return Converter(rule)


def loop_form(rule: Rule, file_names: tuple[str, ...]) -> type[PatternLoop | JsonLoop | ColumnLoop] | None:
    """Return which loop can be made for *rule*; None where its records are read one by one."""
    if rule.format in (RecordFormat.RAW, RecordFormat.PATTERN):
        return PatternLoop if can_compile(rule, file_names) else None
    # A mask runs on every text, of keys that are not known before; messages are joined one by one.
    if rule.masks or (rule.format in CONTAINERS and rule.multiline is not None):
        return None
    if rule.patterns:
        return _PATTERNED.get(rule.format) if can_compile(rule, file_names) else None
    return _KEYED.get(rule.format)
