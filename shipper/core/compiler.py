"""The generated loop for patterns, and for raw text: one `match` a record."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.core.attributes import MOVED, attribute_name, static_attributes
from shipper.core.event import EventRules
from shipper.core.extract import PatternExtract
from shipper.core.line_patterns import compiled
from shipper.core.loop import FIXED, OPTIONAL, EventLoop, Generated
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule


def can_compile(rule: Rule, file_names: Sequence[str]) -> bool:
    """Return whether a loop can be made for *rule* and files with these attributes; what cannot is read one by one.

    Two groups that may claim the same name, a name over the limit or more of them than the endpoint takes are
    decided record by record.
    """
    groups = _group_fields(_sent_names(rule, file_names))
    fields = [*FIXED, *_runtime_names(rule), *file_names, *OPTIONAL, *groups, *static_attributes(rule, file_names)]
    return len(set(fields)) == len(fields) <= rule.limits.attributes and all(
        len(name.encode()) <= rule.limits.key_bytes for name in groups
    )


def _runtime_names(rule: Rule) -> tuple[str, ...]:
    return () if rule.format in (RecordFormat.RAW, RecordFormat.PATTERN) else ("log.iostream",)


def _group_fields(names: dict[str, str]) -> list[str]:
    fields: list[str] = []
    for name in names.values():
        fields += ["http.status_code", MOVED + name] if name.lower() == "status" else [name]
    return fields


def _sent_names(rule: Rule, file_names: Sequence[str]) -> dict[str, str]:
    """Return the attribute's name for each group that becomes one; `status` is left to the value."""
    taken = {*_runtime_names(rule), *rule.attributes, *file_names, *FIXED, *OPTIONAL, "log.source"}
    names: dict[str, str] = {}
    for group, wanted in PatternExtract(rule).names.items():
        if wanted.lower() == "status":
            names[group] = wanted
            continue
        name = attribute_name(wanted)
        names[group] = MOVED + name if name in taken else name
    return names


class PatternLoop(EventLoop):
    """The loop of a rule whose patterns' groups become attributes."""

    def __init__(self, rules: EventRules, splitter: RecordSplitter, file_names: tuple[str, ...], longest: int) -> None:
        """Generate the loop."""
        super().__init__(rules, splitter, file_names, longest)
        self._names = _sent_names(self._rule, file_names)
        self._fields = _group_fields(self._names)
        extract = rules.extract
        self._extract = extract if isinstance(extract, PatternExtract) else PatternExtract(self._rule)
        self._ascii_text = False
        self._loops: dict[bool, Generated] = {}

    def loop(self, *, ascii_text: bool) -> Generated:
        """Return the loop for text that is ASCII, whose patterns match faster, or for any text."""
        if ascii_text not in self._loops:
            self._ascii_text = ascii_text
            self._loops[ascii_text] = self.generate()
        return self._loops[ascii_text]

    def attribute_names(self) -> list[str]:
        """Return our own names, and the groups'."""
        return [*self.own_names, *self._fields]

    def scope(self) -> dict[str, object]:
        """Add the patterns."""
        patterns = {
            f"match{index}": compiled(pattern.pattern, ascii_text=self._ascii_text).match
            for index, pattern in enumerate(self._extract.patterns)
        }
        return {**super().scope(), **patterns}

    def body(self, pad: str) -> list[str]:
        """Try one pattern after the other."""
        out: list[str] = []
        inner = pad + "    "
        for index in range(len(self._extract.patterns)):
            out += [f"{pad}{'el' if index else ''}if m := match{index}(r):", *self._matched(index, inner)]
        stamp, own = "o" if self.outer else None, [*self.own_names.values()]
        if not out:
            return self.bare(stamp, own, pad)
        return [*out, f"{pad}else:", f"{inner}unparsed += 1", *self.bare(stamp, own, inner)]

    def _matched(self, index: int, pad: str) -> list[str]:
        extract = self._extract
        groups = extract.patterns[index].groupindex
        stamp = None if self.outer else groups.get(extract.stamp_group)
        levels = [groups[name] for name in extract.level_groups if name in groups]
        wanted = {group: groups[group] for group in self._names if group in groups}
        used = sorted({*wanted.values(), *levels, *([stamp] if stamp else [])})
        out = []
        count = extract.patterns[index].groups
        if len(used) > 1 and 2 * len(used) > count:  # all of them cost less than some by number
            out.append(f"{pad}{', '.join(f'g{i + 1}' for i in range(count))} = m.groups()")
        elif used:
            out.append(f"{pad}{', '.join(f'g{i}' for i in used)} = m.group({', '.join(map(str, used))})")
        out += self.stamp("o" if self.outer else f"g{stamp}" if stamp else None, pad)
        out += self.severity(" or ".join([*(f"g{i}" for i in levels), "None"]) if levels else "None", pad)
        values = [*self.own_names.values()]
        for group, name in self._names.items():
            place = groups.get(group)
            if name.lower() == "status":
                out += self._status(name, place, pad)
                values += ["h", "a"]
            elif place is None:
                values.append("UNSET")
            else:
                out += self._value(f"g{place}", name, pad)
                values.append(f"g{place}" if self._rules.mask else f"g{place} or UNSET")
        return out + self.add(values, pad)

    def _status(self, name: str, index: int | None, pad: str) -> list[str]:
        if index is None:
            return [f"{pad}h = a = UNSET"]
        value = f"g{index}"
        return [
            f"{pad}if not {value}: h = a = UNSET",
            f"{pad}elif is_http({value}): h = {value}; a = UNSET",
            f"{pad}else: h = UNSET; a = {value}",
            *self._value("h", "http.status_code", pad),
            *self._value("a", MOVED + name, pad),
        ]

    def _value(self, value: str, name: str, pad: str) -> list[str]:
        """Mask a group's text; it may be longer then."""
        out = []
        if self._rules.mask:
            whole = self._rules.name_mask(name) is not None
            masked = f"WHOLE[{self.attribute_names().index(name)}]" if whole else f"MASK({value})"
            out.append(f"{pad}{value} = {masked} if {value} else UNSET")
        if self._rules.mask or self._checks_values:
            out.append(f"{pad}if {value} and len({value}) > VALUE: raise Slow")
        return out
