"""The generated loop: one `match` a record, one struct an event, one encoder call a chunk.

Only names that are made here, indexes, and numbers reach the generated source;
patterns, texts and names of attributes are passed in as objects. Measured
against dicts and against walking a chunk with findall: docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from shipper.core.attributes import MOVED, attribute_name, is_http_status
from shipper.core.event import ChunkState, EventRules, carry_after, oldest_of
from shipper.core.extract import PatternExtract
from shipper.core.model import Carry, Encoded, FileFacts
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule, TooOld
from shipper.core.severity import raw_level
from shipper.core.timestamps import utc_text

Loop = Callable[..., tuple[list[msgspec.Struct], int, int, int, str | None, int, int]]
_encode: Final = msgspec.json.Encoder().encode
_FIXED: Final = ("content", "timestamp", "severity", "log.file.path", "log.file.name")
_OPTIONAL: Final = ("log.raw_level", "log.timestamp_source", "log.original_timestamp")


def can_compile(rule: Rule, file_names: Sequence[str]) -> bool:
    """Return whether a loop can be made for *rule* and files with these attributes; what cannot is read one by one.

    Two groups that may claim the same name, a name over the limit or more of them than the endpoint takes are
    decided record by record.
    """
    if rule.format not in (RecordFormat.RAW, RecordFormat.PATTERN):
        return False
    groups = _group_fields(_sent_names(rule, file_names))
    fields = [*_FIXED, *file_names, *_OPTIONAL, *groups, *_static(rule, file_names)]
    return len(set(fields)) == len(fields) <= rule.limits.attributes and all(
        len(name.encode()) <= rule.limits.key_bytes for name in groups
    )


def _static(rule: Rule, file_names: Sequence[str]) -> dict[str, str]:
    """Return the attributes that are the same on every event; what the file's path says wins."""
    static = {"log.source": rule.source, **rule.attributes}
    return {name: value for name, value in static.items() if name not in file_names}


def _group_fields(names: dict[str, str]) -> list[str]:
    fields: list[str] = []
    for name in names.values():
        fields += ["http.status_code", MOVED + "status"] if name.lower() == "status" else [name]
    return fields


def _sent_names(rule: Rule, file_names: Sequence[str]) -> dict[str, str]:
    """Return the attribute's name for each group that becomes one; `status` is left to the value."""
    taken = {*rule.attributes, *file_names, *_FIXED, *_OPTIONAL, "log.source"}
    names: dict[str, str] = {}
    for group, wanted in PatternExtract(rule).names.items():
        if wanted.lower() == "status":
            names[group] = wanted
            continue
        name = attribute_name(wanted)
        names[group] = MOVED + name if name in taken else name
    return names


class LineLoop:
    """The loop of one rule, for files that have the same attributes of their own."""

    def __init__(
        self,
        rules: EventRules,
        splitter: RecordSplitter,
        file_names: tuple[str, ...],
        longest: int,
        slow: type[Exception],
    ) -> None:
        """Generate the loop; *slow* is raised for chunks that the reference reader must take."""
        self._rules = rules
        self._rule = rules.rule
        self._splitter = splitter
        self._longest = longest
        self._slow = slow
        self._file_names = file_names
        self._names = _sent_names(self._rule, file_names)
        self._checks_values = self._rule.limits.value_bytes < longest
        self._event = self._struct()
        self._levels: dict[str | None, tuple[str, str | UnsetType]] = {}
        self._loop = self._compile()

    # -- making it -----------------------------------------------------------------------------------

    def _fields(self) -> list[str]:
        """Return the attributes whose values differ from event to event, in the order of the struct."""
        return [*_FIXED, *self._file_names, *_OPTIONAL, *_group_fields(self._names)]

    def _struct(self) -> type[msgspec.Struct]:
        fields = self._fields()
        required = len(_FIXED) + len(self._file_names)
        python_names = {f"f{index}": name for index, name in enumerate(fields)}
        static = _static(self._rule, self._file_names)
        definition: list[tuple[str, type] | tuple[str, type, object]] = []
        for index in range(len(fields)):
            definition.append((f"f{index}", str) if index < required else (f"f{index}", str, UNSET))
        for index, (name, value) in enumerate(static.items()):
            python_names[f"s{index}"] = name
            definition.append((f"s{index}", str, value))
        return msgspec.defstruct("Event", definition, rename=python_names, gc=False)

    def _compile(self) -> Loop:
        rules = self._rules
        extract = rules.extract
        patterns = extract.patterns if isinstance(extract, PatternExtract) else []
        scope: dict[str, object] = {
            "E": self._event, "UNSET": UNSET, "LEVELS": self._levels, "level": self._level, "MASK": rules.mask,
            "is_http": is_http_status, "Slow": self._slow, "raw_of": self._raw_of,
            "WHOLE": [rules.name_mask(name) for name in self._fields()],
            "DEFAULT": rules.rule.severity.default, "CONTENT": rules.rule.limits.content_bytes // 4,
        }  # fmt: skip
        for index, pattern in enumerate(patterns):
            scope[f"match{index}"] = pattern.match
        for index, (pattern, severity) in enumerate(rules.content_levels):
            scope[f"find{index}"], scope[f"found{index}"] = pattern.search, severity
        for name, filters in (("keep", rules.keep), ("drop", rules.drop)):
            for index, pattern in enumerate(filters):
                scope[f"{name}{index}"] = pattern.search
        source = "\n".join(self._source(patterns))
        exec(compile(source, "<the loop of a rule>", "exec"), scope)  # noqa: S102 -- names and indexes of our own only
        return scope["loop"]  # type: ignore[return-value]  # what the source above defines

    def _source(self, patterns: Sequence[object]) -> list[str]:
        files = "".join(f", A{index}" for index in range(len(self._file_names)))
        out = [
            f"def loop(records, stamps, last, now, P, N{files}, VALUE):",
            "    out = []; add = out.append; heads = stamps.heads; tails = stamps.tails; miss = stamps.miss; n = stamps.n",
            "    dropped = kept = unparsed = carried = read = 0",
            "    for r in records:",
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
        if not patterns:
            out += self._no_match("        ")
        for index in range(len(patterns)):
            out += [f"        {'el' if index else ''}if m := match{index}(r):", *self._matched(index, "            ")]
        if patterns:
            out += ["        else:", "            unparsed += 1", *self._no_match("            ")]
        out += ["    return out, dropped, kept, unparsed, last, carried, read"]
        return out

    def _matched(self, index: int, pad: str) -> list[str]:
        extract = self._rules.extract
        if not isinstance(extract, PatternExtract):
            raise TypeError("only patterns match")
        groups = extract.patterns[index].groupindex
        stamp = groups.get(extract.stamp_group)
        levels = [groups[name] for name in extract.level_groups if name in groups]
        wanted = {group: groups[group] for group in self._names if group in groups}
        used = sorted({*wanted.values(), *levels, *([stamp] if stamp else [])})
        out = []
        if used:
            out.append(f"{pad}{', '.join(f'g{i}' for i in used)} = m.group({', '.join(map(str, used))})")
        out += self._stamp(f"g{stamp}" if stamp else None, pad)
        out += self._severity(" or ".join([*(f"g{i}" for i in levels), "None"]) if levels else "None", pad)
        values = []
        for group, name in self._names.items():
            place = groups.get(group)
            if name.lower() == "status":
                out += self._status(place, pad)
                values += ["h", "a"]
            elif place is None:
                values.append("UNSET")
            else:
                out += self._value(f"g{place}", self._fields().index(name), pad)
                values.append(f"g{place}" if self._rules.mask else f"g{place} or UNSET")
        return out + self._add(values, pad)

    def _status(self, index: int | None, pad: str) -> list[str]:
        if index is None:
            return [f"{pad}h = a = UNSET"]
        value, fields = f"g{index}", self._fields()
        return [
            f"{pad}if not {value}: h = a = UNSET",
            f"{pad}elif is_http({value}): h = {value}; a = UNSET",
            f"{pad}else: h = UNSET; a = {value}",
            *self._value("h", fields.index("http.status_code"), pad),
            *self._value("a", fields.index(MOVED + "status"), pad),
        ]

    def _value(self, value: str, field: int, pad: str) -> list[str]:
        """Mask a group's text; it may be longer then."""
        out = []
        if self._rules.mask:
            whole = self._rules.name_mask(self._fields()[field]) is not None
            masked = f"WHOLE[{field}]" if whole else f"MASK({value})"
            out.append(f"{pad}{value} = {masked} if {value} else UNSET")
        if self._rules.mask or self._checks_values:
            out.append(f"{pad}if {value} and len({value}) > VALUE: raise Slow")
        return out

    def _no_match(self, pad: str) -> list[str]:
        count = len(self._fields()) - len(_FIXED) - len(self._file_names) - len(_OPTIONAL)
        return [*self._stamp(None, pad), *self._severity("None", pad), *self._add(["UNSET"] * count, pad)]

    @staticmethod
    def _stamp(text: str | None, pad: str) -> list[str]:
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
            f"{pad}    ts = miss({text}, last) if {text} else None; n = stamps.n; tails = stamps.tails",
            f"{pad}    if ts is None:",
            *(pad + "        " + line for line in inherit),
            f"{pad}    else: last = ts",
        ]

    def _severity(self, level: str, pad: str) -> list[str]:
        if level == "None":
            out = [f"{pad}lv = None; sv = DEFAULT; raw = UNSET"]
        else:
            out = [
                f"{pad}lv = {level}",
                f"{pad}try: sv, raw = LEVELS[lv]",
                f"{pad}except KeyError: sv, raw = level(lv)",
            ]
        if self._rules.content_levels:
            out += [f"{pad}if cs is not None and cs != sv: sv = cs; raw = raw_of(lv, cs)"]
        return out

    def _add(self, values: list[str], pad: str) -> list[str]:
        out = []
        if self._rules.mask:
            out += [f"{pad}r = MASK(r)", f"{pad}if len(r) > CONTENT: raise Slow"]
        files = [f"A{index}" for index in range(len(self._file_names))]
        arguments = ", ".join(["r", "ts", "sv", "P", "N", *files, "raw", "src", "UNSET", *values])
        return [*out, f"{pad}add(E({arguments}))"]

    def _level(self, level: str | None) -> tuple[str, str | UnsetType]:
        severity, raw = self._rules.level(level)
        known = severity, self._masked(raw)
        if len(self._levels) < 10_000:
            self._levels[level] = known
        return known

    def _raw_of(self, level: str | None, severity: str) -> str | UnsetType:
        return self._masked(raw_level(level or "", severity))

    def _masked(self, raw: str | None) -> str | UnsetType:
        if raw is None:
            return UNSET
        whole = self._rules.name_mask("log.raw_level")
        if whole is not None:
            return whole
        return self._rules.mask(raw) if self._rules.mask else raw

    # -- running it ------------------------------------------------------------------------------------

    def run(self, text: str, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Return the events of *text*: whole records, LF between lines, none at the end."""
        records = self._splitter.split(text)
        width = 1 if text.isascii() else 4
        if records and max(map(len, records)) * width > self._longest:
            raise self._slow
        state = self._rules.state(facts, carry, now_ms)
        events, dropped, kept, state.unparsed, last, carried, read = self._loop(
            records, state.stamps, state.last, utc_text(now_ms), facts.path, facts.name,
            *facts.attributes.values(), self._rule.limits.value_bytes // (4 if self._rules.mask else width),
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

    def _check_ages(self, events: list[msgspec.Struct], state: ChunkState) -> list[msgspec.Struct]:
        """Stamp anew, or leave out, what is past the age limit or too far ahead, as the reference reader does."""
        policy = self._rule.too_old
        if policy is TooOld.DEAD_LETTER:
            raise self._slow
        stamp, original = "f1", f"f{len(_FIXED) + len(self._file_names) + 2}"
        now, limit, ahead = utc_text(state.now_ms), state.limit, state.ahead
        restamp = utc_text(max(state.now_ms, state.restamp_ms))
        oldest: str | None = None
        kept: list[msgspec.Struct] = []
        for event in events:
            text: str = getattr(event, stamp)
            if text < limit:
                if policy is TooOld.DROP:
                    state.filtered["too_old"] = state.filtered.get("too_old", 0) + 1
                    continue
                state.restamp_ms = max(state.now_ms, state.restamp_ms)
                setattr(event, stamp, restamp)
                setattr(event, original, text)
                state.restamped += 1
            elif text > ahead:
                setattr(event, stamp, now)
                setattr(event, original, text)
            elif oldest is None or text < oldest:
                oldest = text
            kept.append(event)
        state.oldest = oldest
        return kept
