"""One record's event: what `extract` found, under the names, ages and limits of the wire.

Source: the spec page, "The event on the wire".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import msgspec

from shipper.core.attributes import beside, place, trim
from shipper.core.chunk_stamps import ChunkStamps, StampCache, ms_of
from shipper.core.columns import ColumnExtract, header_after, is_directive
from shipper.core.extract import UNPARSED, Extract, Parsed, extractor
from shipper.core.masks import Mask, compile_masks, kept, mask_behind, mask_value, name_masks
from shipper.core.model import Carry, Event, FileFacts, FileKey
from shipper.core.rule import RecordFormat, Rule, TooOld
from shipper.core.severity import raw_level, severity_of
from shipper.core.timestamps import StampReader, utc_text

OURS: Final = frozenset(
    [
        "content",
        "timestamp",
        "severity",
        "log.source",
        "log.file.path",
        "log.file.name",
        "log.part",
        "log.record_id",
        "log.trimmed",
        "log.timestamp_source",
        "log.original_timestamp",
        "log.raw_level",
        "log.unparsed",
        "log.iostream",
        "host.name",
        "dt.ingest.origin",
    ]
)

_READ_FROM_TEXT: Final = frozenset(["content", "log.raw_level", "log.iostream"])
"""Names of ours that hold what the source wrote."""

MatchBudget = Callable[[], AbstractContextManager[None]]
_LEVELS_KEPT: Final = 10_000


class MatchTimeout(BaseException):
    """A pattern has used up its time; raised by the pipeline's timer inside a conversion, never in core.

    Not an Exception, so that nothing on the way takes it for an error of its own.
    """


class Outer(msgspec.Struct, frozen=True):
    """What a container's log line says of the message in it."""

    stamp: str
    stream: str


class ChunkState(msgspec.Struct):
    """What the records of one chunk share and change."""

    facts: FileFacts
    now_ms: int
    stamps: ChunkStamps
    base: Event
    last: str | None
    restamp_ms: int
    limit: str
    ahead: str
    encoding: str
    header: tuple[str, ...] = ()
    filtered: dict[str, int] = {}
    restamped: int = 0
    unparsed: int = 0
    trimmed: int = 0
    pattern_timeouts: int = 0
    oldest: str | None = None

    def leave_out(self, reason: str) -> None:
        """Count a record that is not sent on purpose."""
        self.filtered[reason] = self.filtered.get(reason, 0) + 1


class Withheld(Exception):
    """A record that is not sent: *reason* is a filter's name, or a refusal with its event."""

    def __init__(self, reason: str, *, refused: bool = False, detail: str = "", event: Event | None = None) -> None:
        super().__init__(reason)
        self.reason, self.refused, self.detail, self.event = reason, refused, detail, event


class EventRules:
    """A rule compiled for reading one record at a time."""

    def __init__(self, rule: Rule) -> None:
        """Compile every pattern of *rule*."""
        self.rule = rule
        self.columns = ColumnExtract(rule) if rule.format is RecordFormat.W3C else None
        self.extract: Extract = self.columns or extractor(rule)
        self.stamp_reader = StampReader(rule.stamp.formats, rule.stamp.zone)
        self.outer_reader = StampReader(("rfc3339",), "")
        self.keep = [re.compile(pattern) for pattern in rule.keep]
        self.drop = [re.compile(pattern) for pattern in rule.drop]
        self.mask = compile_masks(rule.masks)
        self.name_mask = name_masks(rule.masks)
        # Where the text says what its attributes are called, a secret can be a name.
        self.mask_of_names = kept(self.mask) if self.mask and not rule.patterns and self.columns is None else None
        self.content_levels = [(re.compile(pattern), severity) for pattern, severity in rule.severity.rules]
        self._stamps = StampCache()
        self._levels: dict[str | int, tuple[str, str | None]] = {}

    def state(self, facts: FileFacts, carry: Carry, now_ms: int, *, outer: bool = False) -> ChunkState:
        """Return the state that a chunk begins with."""
        base: Event = {
            "log.source": self.rule.source, "log.file.path": facts.path, "log.file.name": facts.name,
            **self.rule.attributes, **facts.attributes,
        }  # fmt: skip
        reader = self.outer_reader if outer else self.stamp_reader
        return ChunkState(
            facts=facts,
            now_ms=now_ms,
            stamps=ChunkStamps(reader, self._stamps, facts.mtime_ms),
            base=base,
            last=None if carry.stamp_ms is None else utc_text(carry.stamp_ms),
            restamp_ms=carry.restamp_ms,
            limit=utc_text(max(now_ms - self.rule.max_age_ms, 0)),
            ahead=utc_text(now_ms + self.rule.max_ahead_ms),
            encoding=carry.encoding or "utf-8",
            header=carry.header,
            filtered={},
        )

    def level(self, level: str | int | None) -> tuple[str, str | None]:
        """Return the severity of a level and the source's own word where that differs."""
        if level is None:
            return self.rule.severity.default, None
        known = self._levels.get(level)
        if known is None:
            severity = severity_of(level, self.rule.severity.words)
            known = (
                (severity, raw_level(str(level), severity))
                if severity
                else (self.rule.severity.default, raw_level(str(level), ""))
            )
            if len(self._levels) < _LEVELS_KEPT:
                self._levels[level] = known
        return known

    def build(
        self, text: str, state: ChunkState, outer: Outer | None = None, budget: MatchBudget | None = None
    ) -> Event:
        """Return the event of a record.

        Raises:
            Withheld: The record is not sent.
        """
        parsed, content_severity, timed_out = self._match(text, state, budget)
        if not parsed.fits:
            state.unparsed += 1
        severity, raw = self.level(parsed.level)
        if content_severity is not None and content_severity != severity:
            severity, raw = content_severity, raw_level(str(parsed.level or ""), content_severity)
        event: Event = {"content": text, "timestamp": "", "severity": severity, **state.base}
        if raw is not None:
            event["log.raw_level"] = raw
        if outer is not None:
            event["log.iostream"] = outer.stream
        if timed_out:
            event["log.unparsed"] = "timeout"
        for name, value in parsed.attributes.items():
            place(event, name, value)
        self._mask(event, state, budget)
        self._time(event, outer.stamp if outer else parsed.stamp, state)
        state.trimmed += bool(trim(event, self.rule.limits, self._fixed(state)))
        return event

    @staticmethod
    def _fixed(state: ChunkState) -> frozenset[str]:
        return OURS | state.base.keys()

    def _match(self, text: str, state: ChunkState, budget: MatchBudget | None) -> tuple[Parsed, str | None, bool]:
        if budget is None:  # the chunk's own limit: who set it reads the chunk again
            return *self._match_now(text, state), False
        try:
            with budget():
                return *self._match_now(text, state), False
        except MatchTimeout:
            state.pattern_timeouts += 1
            return UNPARSED, None, True

    def _match_now(self, text: str, state: ChunkState) -> tuple[Parsed, str | None]:
        if self.columns is not None and is_directive(text):
            state.header = header_after(text, state.header)
            raise Withheld("directive")
        if self.keep and not any(pattern.search(text) for pattern in self.keep):
            raise Withheld("keep")
        if any(pattern.search(text) for pattern in self.drop):
            raise Withheld("drop")
        found = next((severity for pattern, severity in self.content_levels if pattern.search(text)), None)
        return self.extract(text) if self.columns is None else self.columns.read(text, state.header), found

    def mask_later_part(self, event: Event, tail: str, budget: MatchBudget | None) -> None:
        """Mask the content of a record's later part, behind *tail*; its attributes were masked with the first.

        Raises:
            Withheld: The mask ran out of time.
        """
        mask = self.mask
        if mask is not None:
            with _or_withheld(budget):
                event["content"] = mask_behind(mask, tail, str(event["content"]))

    def _mask(self, event: Event, state: ChunkState, budget: MatchBudget | None) -> None:
        mask = self.mask
        if mask is None:
            return
        with _or_withheld(budget):
            for name, value in event.items():
                if name in _READ_FROM_TEXT or (name not in state.base and name not in OURS):
                    whole = None if name == "content" or value in (None, "") else self.name_mask(name)
                    event[name] = mask_value(mask, value) if whole is None else whole
            if self.mask_of_names is not None:
                self._mask_names(event, self.mask_of_names, state)

    @staticmethod
    def _mask_names(event: Event, mask: Mask, state: ChunkState) -> None:
        for name in [name for name in event if name not in state.base and name not in OURS]:
            masked = mask(name)
            if masked != name:
                value = event.pop(name)
                event[beside(masked, event)] = value

    def _time(self, event: Event, stamp: str | float | None, state: ChunkState) -> None:
        text = None if stamp is None else state.stamps.text(stamp, state.last)
        if text is None:
            text = self._without_stamp(event, state)
        else:
            state.last = text
        event["timestamp"] = text
        if text < state.limit:
            self._too_old(event, text, state)
        elif text > state.ahead:
            event["timestamp"], event["log.original_timestamp"] = utc_text(state.now_ms), text
        elif state.oldest is None or text < state.oldest:
            state.oldest = text

    @staticmethod
    def _without_stamp(event: Event, state: ChunkState) -> str:
        if state.last is None:
            event["log.timestamp_source"] = "read"
            return utc_text(state.now_ms)
        event["log.timestamp_source"] = "inherited"
        return state.last

    def _too_old(self, event: Event, text: str, state: ChunkState) -> None:
        if self.rule.too_old is TooOld.DROP:
            raise Withheld("too_old")
        if self.rule.too_old is TooOld.DEAD_LETTER:
            raise Withheld(
                "too_old", refused=True, detail=f"its time {text} is past the endpoint's age limit", event=event
            )
        state.restamp_ms = max(state.now_ms, state.restamp_ms)
        event["timestamp"], event["log.original_timestamp"] = utc_text(state.restamp_ms), text
        state.restamped += 1


@contextmanager
def _or_withheld(budget: MatchBudget | None) -> Iterator[None]:
    """Run masks within *budget*: a text whose mask ran out of time must not be sent."""
    if budget is None:  # the chunk's own limit: who set it reads the chunk again
        yield
        return
    try:
        with budget():
            yield
    except MatchTimeout:
        raise Withheld("mask_failed", refused=True, detail="a mask ran out of time; the text stays here") from None


def record_id(key: FileKey, offset: int, part: int) -> str:
    """Return the name of a record's bytes: the same after a crash."""
    text = f"{key.file_id}.{key.generation}.{offset}.{part}"
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def oldest_of(state: ChunkState) -> int | None:
    """Return the oldest stamp that is sent as it was read, rounded down to a whole second, in milliseconds."""
    return None if state.oldest is None else ms_of(state.oldest) // 1000 * 1000


def carry_after(state: ChunkState, carry: Carry) -> Carry:
    """Return what the next chunk must know of the times in this one."""
    stamp = carry.stamp_ms if state.last is None else ms_of(state.last)
    return msgspec.structs.replace(carry, stamp_ms=stamp, restamp_ms=state.restamp_ms, header=state.header)
