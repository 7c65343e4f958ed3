"""The loop over a chunk's records that is generated for a rule: what all its forms share.

One struct an event, one encoder call a chunk. What is the same on every event
of a file is encoded once and copied into each as it stands. Only names that
are made here, indexes and numbers reach generated source; patterns, texts and
names of attributes are passed in as objects. Measured: docs/benchmarks.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from shipper.core.attributes import is_http_status, static_attributes
from shipper.core.event import ChunkState, EventRules, carry_after, oldest_of
from shipper.core.model import Carry, Encoded, FileFacts
from shipper.core.records import RecordSplitter
from shipper.core.rule import TooOld
from shipper.core.severity import raw_level
from shipper.core.timestamps import utc_text

Generated = Callable[..., tuple[list[msgspec.Struct], int, int, int, str | None, int, int]]
FIXED: Final = ("content", "timestamp", "severity", "log.file.path", "log.file.name")
OPTIONAL: Final = ("log.raw_level", "log.timestamp_source", "log.original_timestamp")
_SAME: Final = "log.file.path"
_FIELDS: Final = ("content", "timestamp", "severity", _SAME, *OPTIONAL)
_STAMP_FIELD: Final = f"f{_FIELDS.index('timestamp')}"
_ORIGINAL_FIELD: Final = f"f{_FIELDS.index('log.original_timestamp')}"
_LEVELS_KEPT: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode


class Slow(Exception):
    """This chunk holds something rare: the reference reader takes it."""


class EventLoop(ABC):
    """The loop of one rule, for files that have the same attributes of their own.

    Attributes:
        outer: The stamps are those that a container's runtime wrote, in the variable `o`.
        own_names: Attributes of ours that differ from event to event, and the variables that hold them.
    """

    outer = False
    own_names: Mapping[str, str] = {}

    def __init__(self, rules: EventRules, splitter: RecordSplitter, file_names: tuple[str, ...], longest: int) -> None:
        """Prepare for records of at most *longest* characters; `generate` makes the loop."""
        self._rules = rules
        self._rule = rules.rule
        self._splitter = splitter
        self._longest = longest
        self._file_names = file_names
        self._checks_values = self._rule.limits.value_bytes < longest
        self._levels: dict[str | None, tuple[str, str | UnsetType]] = {}
        self._same_for: tuple[str, dict[str, str]] = ("", {})
        self._same = msgspec.Raw(b"")

    # -- making it -----------------------------------------------------------------------------------

    @abstractmethod
    def attribute_names(self) -> list[str]:
        """Return the names of the attributes whose values differ from event to event."""

    @abstractmethod
    def body(self, pad: str) -> list[str]:
        """Return the lines that make an event of the record `r`, each after *pad*."""

    def each(self) -> list[str]:
        """Return the lines that begin the loop over `records` and set `r`."""
        return ["    for r in records:"]

    def scope(self) -> dict[str, object]:
        """Return what the generated source finds under its names."""
        rules = self._rules
        scope: dict[str, object] = {
            "E": self._struct(), "UNSET": UNSET, "LEVELS": self._levels, "level": self._level, "MASK": rules.mask,
            "is_http": is_http_status, "Slow": Slow, "raw_of": self._raw_of,
            "WHOLE": [rules.name_mask(name) for name in self.attribute_names()],
            "DEFAULT": rules.rule.severity.default, "CONTENT": rules.rule.limits.content_bytes // 4,
        }  # fmt: skip
        for index, (pattern, severity) in enumerate(rules.content_levels):
            scope[f"find{index}"], scope[f"found{index}"] = pattern.search, severity
        for name, filters in (("keep", rules.keep), ("drop", rules.drop)):
            for index, pattern in enumerate(filters):
                scope[f"{name}{index}"] = pattern.search
        return scope

    def generate(self) -> Generated:
        """Return the loop."""
        scope = self.scope()
        source = "\n".join(self._source())
        exec(compile(source, "<the loop of a rule>", "exec"), scope)  # noqa: S102 -- names and indexes of our own only
        return scope["loop"]  # type: ignore[return-value]  # what the source above defines

    def _struct(self) -> type[msgspec.Struct]:
        names = [*_FIELDS, *self.attribute_names()]
        types: list[object] = [str, str, str, msgspec.Raw, str, str, str, *([object] * (len(names) - len(_FIELDS)))]
        required = len(_FIELDS) - len(OPTIONAL)
        fields: list[tuple[str, object] | tuple[str, object, object]] = []
        for index, kind in enumerate(types):
            fields.append((f"f{index}", kind) if index < required else (f"f{index}", kind, UNSET))
        renamed = {f"f{index}": name for index, name in enumerate(names)}
        return msgspec.defstruct("Event", fields, rename=renamed, gc=False)

    def _source(self) -> list[str]:
        out = [
            "def loop(records, stamps, last, now, SAME, VALUE):",
            "    out = []; add = out.append",
            "    heads = stamps.heads; tails = stamps.tails; miss = stamps.miss; n = stamps.n",
            "    dropped = kept = unparsed = carried = read = 0",
            *self.each(),
        ]
        if self._rules.keep:
            kept = " or ".join(f"keep{index}(r)" for index in range(len(self._rules.keep)))
            out += [f"        if not ({kept}): kept += 1; continue"]
        if self._rules.drop:
            dropped = " or ".join(f"drop{index}(r)" for index in range(len(self._rules.drop)))
            out += [f"        if {dropped}: dropped += 1; continue"]
        for index in range(len(self._rules.content_levels)):
            out += [f"        {'el' if index else ''}if find{index}(r): cs = found{index}"]
        if self._rules.content_levels:
            out += ["        else: cs = None"]
        return [*out, *self.body("        "), "    return out, dropped, kept, unparsed, last, carried, read"]

    @staticmethod
    def stamp(text: str | None, pad: str) -> list[str]:
        """Return the lines that set `ts` and `src` from the stamp in the variable *text*; None: there is none."""
        inherit = [
            "if last is None: ts = now; src = 'read'; read = 1",
            "else:",
            "    ts = last; src = 'inherited'",
            "    if stamps.oldest is None: carried = 1",
        ]
        if text is None:
            return [pad + line for line in inherit]
        return [
            f"{pad}src = UNSET",
            f"{pad}try: ts = last = heads[{text}[:n]] + tails[{text}[n:]]",
            f"{pad}except (KeyError, TypeError):",
            f"{pad}    ts = miss({text}, last) if {text} is not None else None; n = stamps.n; tails = stamps.tails",
            f"{pad}    if ts is None:",
            *(pad + "        " + line for line in inherit),
            f"{pad}    else: last = ts",
        ]

    def bare(self, stamp: str | None, values: Sequence[str], pad: str) -> list[str]:
        """Return the lines that add the event of a record in which nothing was found but a stamp, or not even that."""
        return [*self.stamp(stamp, pad), *self.severity("None", pad), *self.add(values, pad)]

    def severity(self, level: str, pad: str) -> list[str]:
        """Return the lines that set `sv` and `raw` from the level in the variable *level*; "None": there is none."""
        if level == "None":
            out = [f"{pad}lv = None; sv = DEFAULT; raw = UNSET"]
        else:
            out = [
                f"{pad}lv = {level}",
                f"{pad}try: sv, raw = LEVELS[lv]",
                f"{pad}except KeyError: sv, raw = level(lv)",
            ]
        return out + self.content_severity(pad)

    def content_severity(self, pad: str) -> list[str]:
        """Return the line by which what was found in the content wins over the level `lv`."""
        if not self._rules.content_levels:
            return []
        return [f"{pad}if cs is not None and cs != sv: sv = cs; raw = raw_of(lv, cs)"]

    def add(self, values: Sequence[str], pad: str) -> list[str]:
        """Return the lines that add the event with *values*, which stand for `attribute_names`."""
        out = []
        if self._rules.mask:
            out += [f"{pad}r = MASK(r)", f"{pad}if len(r) > CONTENT: raise Slow"]
        while values and values[-1] == "UNSET":
            values = values[:-1]
        return [*out, f"{pad}add(E({', '.join(['r', 'ts', 'sv', 'SAME', 'raw', 'src', 'UNSET', *values])}))"]

    def _level(self, level: str | None) -> tuple[str, str | UnsetType]:
        severity, raw = self._rules.level(level)
        known = severity, self.masked(raw)
        if len(self._levels) < _LEVELS_KEPT:
            self._levels[level] = known
        return known

    def _raw_of(self, level: str | int | None, severity: str) -> str | UnsetType:
        return self.masked(raw_level(str(level or ""), severity))

    def masked(self, raw: str | None) -> str | UnsetType:
        """Return `log.raw_level` as it is sent."""
        if raw is None:
            return UNSET
        whole = self._rules.name_mask("log.raw_level")
        if whole is not None:
            return whole
        return self._rules.mask(raw) if self._rules.mask else raw

    # -- running it ------------------------------------------------------------------------------------

    @abstractmethod
    def loop(self, *, ascii_text: bool) -> Generated:
        """Return the loop for the next chunk."""

    def learn(self, text: str) -> None:  # noqa: B027 -- most loops have nothing to learn
        """Take in what kept *text*, which was Slow, from being read by the loop."""

    def records(self, text: str) -> Sequence[object]:
        """Return what the loop goes over, of which none is longer than a record may be.

        Raises:
            Slow: One may be, or is not what the loop reads.
        """
        records = self._splitter.split(text)
        width = 1 if text.isascii() else 4
        if len(text) * width > self._longest and records and max(map(len, records)) * width > self._longest:
            raise Slow
        return records

    def is_ascii(self, text: str) -> bool:
        """Return whether all that the loop reads in *text* is ASCII."""
        return text.isascii()

    def run(self, text: str, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Return the events of *text*: whole records, LF between lines, none at the end.

        Raises:
            Slow: The loop cannot read it: records must be read one by one, or by the reference reader.
        """
        records, plain = self.records(text), self.is_ascii(text)
        width = 1 if plain else 4
        if self._rules.mask or (self._checks_values and "\\u" in text):
            width = 4
        state = self._rules.state(facts, carry, now_ms, outer=self.outer)
        events, dropped, kept, state.unparsed, last, carried, read = self.loop(ascii_text=plain)(
            records, state.stamps, state.last, utc_text(now_ms), self._same_of(facts),
            self._rule.limits.value_bytes // width,
        )  # fmt: skip
        inherited, state.last = state.last, last
        oldest = [utc_text(state.stamps.oldest)] if state.stamps.oldest is not None else []
        oldest += [inherited] if carried and inherited is not None else []
        oldest += [utc_text(now_ms)] if read else []
        state.oldest = min(oldest, default=None)
        newest = utc_text(state.stamps.newest) if state.stamps.newest is not None else ""
        if inherited is not None and carried:
            newest = max(newest, inherited)
        if dropped:
            state.filtered["drop"] = dropped
        if kept:
            state.filtered["keep"] = kept
        if (state.oldest is not None and state.oldest < state.limit) or newest > state.ahead:
            events = self._check_ages(events, state)
        return Encoded(
            json=memoryview(_encode(events))[1:-1] if events else b"",
            events=len(events),
            records=len(events),
            carry=carry_after(state, carry),
            filtered=state.filtered,
            oldest_ms=oldest_of(state),
            restamped=state.restamped,
            unparsed=state.unparsed,
        )

    def _same_of(self, facts: FileFacts) -> msgspec.Raw:
        """Return the value of `log.file.path`, and behind it every other attribute that all events of a file share."""
        if self._same_for != (facts.path, facts.attributes):
            shared = {
                _SAME: facts.path, "log.file.name": facts.name,
                **static_attributes(self._rule, self._file_names), **facts.attributes,
            }  # fmt: skip
            self._same = msgspec.Raw(_encode(shared)[len(_encode(_SAME)) + 2 : -1])
            self._same_for = (facts.path, facts.attributes)
        return self._same

    def _check_ages(self, events: list[msgspec.Struct], state: ChunkState) -> list[msgspec.Struct]:
        """Stamp anew, or leave out, what is past the age limit or too far ahead, as the reference reader does."""
        if self._rule.too_old is TooOld.DEAD_LETTER:
            raise Slow
        now, limit, ahead = utc_text(state.now_ms), state.limit, state.ahead
        restamp, anew, oldest = utc_text(max(state.now_ms, state.restamp_ms)), 0, None
        kept = events
        if self._rule.too_old is TooOld.DROP:
            kept = [event for event in events if getattr(event, _STAMP_FIELD) >= limit]
            if len(kept) < len(events):
                state.filtered["too_old"] = len(events) - len(kept)
        for event in kept:
            text: str = getattr(event, _STAMP_FIELD)
            if text < limit:
                setattr(event, _STAMP_FIELD, restamp)
                setattr(event, _ORIGINAL_FIELD, text)
                anew += 1
            elif text > ahead:
                setattr(event, _STAMP_FIELD, now)
                setattr(event, _ORIGINAL_FIELD, text)
            elif oldest is None or text < oldest:
                oldest = text
        if anew:
            state.restamp_ms, state.restamped = max(state.now_ms, state.restamp_ms), anew
        state.oldest = oldest
        return kept
