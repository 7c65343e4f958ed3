"""The explanation of each record in words, and the summary below them.

What a source masks never stands here: of the text only what is left when the
masks have run, of the masks their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.text import Text

from shipper.cli.explain_candidates import Tried
from shipper.cli.explain_patterns import failure, in_words, short
from shipper.cli.explain_records import Record, text_of
from shipper.config import Config, Source
from shipper.config.mask_presets import mask_rules
from shipper.core.converter import MatchTimeout
from shipper.core.event import EventRules
from shipper.core.extract import Parsed
from shipper.core.masks import compile_masks
from shipper.core.records import RecordSplitter
from shipper.core.reference import CONTAINERS
from shipper.core.rule import RecordFormat, Rule
from shipper.core.stamp_formats import ALL, compile_format
from shipper.core.timestamps import StampReader, utc_text
from shipper.pipeline.guard import MatchGuard

_DAY_MS: Final = 86_400_000
_COLOURS: Final = {"emergency": "red", "alert": "red", "critical": "red", "severe": "red", "error": "red",
                   "warn": "yellow"}  # fmt: skip
_encode: Final = msgspec.json.Encoder().encode
_OF_KEYS: Final = {RecordFormat.JSON, RecordFormat.LOGFMT, RecordFormat.W3C, *CONTAINERS}
Fact = tuple[str, str]


class Writer:
    """Prints records one by one, and counts them for the summary."""

    def __init__(
        self,
        out: Console,
        config: Config,
        source: Source,
        guard: MatchGuard,
        now_ms: int,
        candidates: Sequence[Rule] = (),
    ) -> None:
        """Explain to *out* what *source* of *config* makes of a file; *candidates* are what `auto` chooses from."""
        self._candidates = candidates
        self._out, self._config, self._source, self._guard = out, config, source, guard
        self._oldest_ms = now_ms - _DAY_MS
        self._compiled: dict[int, tuple[EventRules, RecordSplitter]] = {}
        self._tried: Tried | None = None
        self._judged = 0  # the chunk whose candidates stand above
        self._counts: Counter[str] = Counter()
        self._severities: Counter[str] = Counter()

    def write(self, records: Iterable[Record]) -> None:
        """Print all of *records* and the summary."""
        for record in records:
            self._head(record)
            for name, text in self._facts(record):
                self._out.print(Text.assemble((f"  {name:<9} ", "bold"), text), soft_wrap=True)
            self._count(record)
        self._summary()

    def _head(self, record: Record) -> None:
        last = record.line + record.lines - 1
        lines = f"line {record.line}" if record.lines == 1 else f"lines {record.line}-{last}"
        severity = str(record.plain["severity"])
        state = severity if record.event is not None else "left out"
        head = f"{lines}  bytes [{record.span.start}, {record.span.end})  {state}  {record.plain['timestamp']}"
        self._out.print(Text(head, style=f"bold {_COLOURS.get(severity, 'cyan')}"), soft_wrap=True)

    def _facts(self, record: Record) -> Iterator[Fact]:
        done, rule = record.of, record.of.converter.rule
        if id(rule) not in self._compiled:
            self._compiled[id(rule)] = EventRules(rule), RecordSplitter(rule)
        rules, splitter = self._compiled[id(rule)]
        text = text_of(record)
        yield "text", f"{done.carry.encoding or 'utf-8'}; {_framing(rule, splitter, text, record)}"
        name = rule.layout.partition("{")[0].strip("+") or "learned"
        yield "layout", f"{name}: {done.evidence}" if done.evidence else name
        if done.evidence and self._candidates and id(done) != self._judged:
            self._judged = id(done)
            self._tried = Tried(self._candidates, record)
            yield "tried", self._tried.in_words
        try:
            with self._guard.record_budget():
                parsed = rules.columns.read(text, done.carry.header) if rules.columns else rules.extract(text)
        except MatchTimeout:
            parsed = Parsed(None, None, {}, False)
        yield from self._patterns(rule, text)
        if self._tried is not None:
            yield from self._tried.others(rule, text, self._guard.record_budget)
        yield "time", self._time(record, rule, parsed)
        yield "severity", self._severity(record, rules, rule, parsed, text)
        yield from self._filters(rule, text)
        yield from self._masks(text)
        if record.event is not None:
            yield (
                "event",
                _encode(record.event).decode() + (f" (1 of {record.parts} parts)" if record.parts > 1 else ""),
            )
        count = max(done.reading.records + sum(done.reading.filtered.values()), 1)
        each = [1e6 * seconds / count for seconds in (done.convert_seconds, done.read_seconds)]
        noun = "1 record" if count == 1 else f"{count} records"
        yield "cost", f"{each[0]:.1f} µs converted, {each[1]:.1f} µs by the reference reader (mean of {noun})"

    def _patterns(self, rule: Rule, text: str) -> Iterator[Fact]:
        for number, pattern in enumerate(rule.patterns, 1):
            try:
                failed = failure(pattern, text, self._guard.record_budget)
            except MatchTimeout:
                yield "pattern", f"{number} of {len(rule.patterns)}: ran out of time on this text"
                continue
            if failed is None:
                yield "pattern", f"{number} of {len(rule.patterns)} matches"
                return
            yield "pattern", f"{number} of {len(rule.patterns)}: {in_words(failed)}"

    def _time(self, record: Record, rule: Rule, parsed: Parsed) -> str:
        event = record.plain
        origin = event.get("log.timestamp_source")
        why = "the record has none" if parsed.stamp is None else f"{self._masked(str(parsed.stamp))!r} cannot be read"
        if rule.format in CONTAINERS and origin is None:
            return f"the runtime's own, rfc3339 -> {event['timestamp']}"
        if origin is not None:
            kept = "that of the record above" if origin == "inherited" else "the time of reading"
            return f"{why}: {kept}, {event['timestamp']}"
        if not isinstance(parsed.stamp, str):
            return f"epoch number {parsed.stamp} -> {event['timestamp']}"
        reader = StampReader(rule.stamp.formats, rule.stamp.zone)
        reader.read(parsed.stamp, near_ms=record.of.facts.mtime_ms, after_ms=None)
        match = compile_format(reader.last_format).fullmatch(parsed.stamp.strip()) if reader.last_format else None
        reasons = self._zone(rule, match.groupdict()) if match is not None else ""
        reasons += _failed(rule, reader)
        return f"{self._masked(parsed.stamp)!r} as {reader.last_format} -> {event['timestamp']}; {reasons}"

    def _zone(self, rule: Rule, parts: dict[str, str | None]) -> str:
        if parts.get("epoch"):
            return "an epoch number is in UTC"
        own = self._source.timestamp.timezone
        whose = "the source's" if own else "the preset's" if rule.stamp.zone != self._config.zone else "the host's"
        zone = f"zone {parts['zone']} in the text" if parts.get("zone") else f"{whose} zone {rule.stamp.zone or 'UTC'}"
        if parts.get("Y") or parts.get("y"):
            return zone
        by = "the weekday and the file's modification" if parts.get("a") else "the file's modification"
        return f"{zone}; the year by {by}"

    def _severity(self, record: Record, rules: EventRules, rule: Rule, parsed: Parsed, text: str) -> str:
        severity = str(record.plain["severity"])
        for pattern, meaning in rules.content_levels:
            if meaning == severity and pattern.search(text):
                return f"{severity}: rule on the content {short(pattern.pattern)}"
        if parsed.level is None:
            return f"{severity}: no level in the record, the default"
        what = "key" if rule.format in _OF_KEYS else "group"
        word = f"{self._masked(str(parsed.level))!r} in the {what} {parsed.level_name}"
        if rules.level(parsed.level)[0] == rule.severity.default != str(parsed.level).strip().lower():
            return f"{severity}: {word} (unknown words get the default)"
        return f"{severity}: from {word}"

    def _filters(self, rule: Rule, text: str) -> Iterator[Fact]:
        kept = next((pattern for pattern in rule.keep if re.search(pattern, text)), None)
        if rule.keep:
            yield "keep", f"by {short(kept)}" if kept else "left out: no pattern of keep is found"
        dropped = next((pattern for pattern in rule.drop if re.search(pattern, text)), None)
        if dropped is not None:
            yield "drop", f"left out by {short(dropped)}"

    def _masks(self, text: str) -> Iterator[Fact]:
        hits = []
        for mask in self._source.mask:
            run = compile_masks(tuple(mask_rules(mask)))
            masked = run(text) if run is not None else text
            if masked != text:
                hits.append(mask.preset or f"pattern {short(mask.pattern or '')}")
            text = masked
        if hits:
            yield "masks", ", ".join(hits)

    def _masked(self, text: str) -> str:
        run = compile_masks(tuple(rule for mask in self._source.mask for rule in mask_rules(mask)))
        return run(text) if run is not None else text

    def _count(self, record: Record) -> None:
        counts, event = self._counts, record.event
        counts["records"] += event is not None
        counts["left out"] += event is None
        if event is None:
            return
        self._severities[str(event["severity"])] += 1
        if "log.timestamp_source" in event:
            counts[f"times {event['log.timestamp_source']}"] += 1
        counts["older than 24 h"] += str(event["timestamp"]) < utc_text(self._oldest_ms)

    def _summary(self) -> None:
        counts = dict(self._counts)
        found = (("record" if name == "records" and count == 1 else name, count) for name, count in counts.items())
        parts = [f"{count} {name}" for name, count in found if count or name == "records"]
        old = counts.get("older than 24 h", 0)
        policy = f" (too_old: {self._config.endpoint.too_old})" if old else ""
        self._out.print(Text(", ".join(parts) + policy, style="bold"), soft_wrap=True)
        levels = ", ".join(f"{name} {count}" for name, count in self._severities.most_common())
        self._out.print(Text(f"severities: {levels or 'none'}"), soft_wrap=True)


def _framing(rule: Rule, splitter: RecordSplitter, text: str, record: Record) -> str:
    if rule.format in CONTAINERS:
        return "a message" if record.lines == 1 else f"a record of {record.lines} lines of its stream"
    if rule.multiline is None:
        return "each line is a record"
    border = rule.multiline
    lines = text.split("\n")
    if border.continue_ is not None:
        below = f"matched by continue {short(border.continue_)}"
    else:
        below = f"not matched by start {short(border.start)}" if border.start else "no pattern matches there"
    begins = splitter.is_start(lines[0], None)
    first = "its first line begins a record" if begins else "what comes first, or goes on past a limit, is a record"
    if len(lines) == 1:
        return first
    more = "1 more line goes on with it" if len(lines) == 2 else f"{len(lines) - 1} more lines go on with it"
    return f"{first}; {more}: {below}"


def _failed(rule: Rule, reader: StampReader) -> str:
    formats = rule.stamp.formats or ALL
    before = formats[: formats.index(reader.last_format)] if reader.last_format in formats else ()
    return f"; not as {', '.join(before)}" if before else ""
