"""The generated loop for records that are JSON objects.

Made of the keys that were seen (json_shape.py) and made anew when a chunk
brings others. Which key is the time and which the level is settled by names
where names suffice; a shape in which it takes more than that is left to the
plain way, as is a chunk with a record that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import UnsetType

from shipper.core.attributes import MOVED, flat_list, placed_name, static_attributes
from shipper.core.event import EventRules
from shipper.core.extract import KeyChoice
from shipper.core.json_shape import Leaf, Shape
from shipper.core.loop import FIXED, OPTIONAL, EventLoop, Generated, Slow
from shipper.core.records import RecordSplitter

MOST_LESSONS: Final = 64
_TIME_KINDS: Final = frozenset(("str", "int", "float"))
_LEVEL_KINDS: Final = frozenset(("str", "int"))
_decode: Final = msgspec.json.Decoder().decode


class JsonLoop(EventLoop):
    """The loop of a JSON rule; grows with the keys it meets.

    Attributes:
        reads_text: There is a loop for records of which no keys are known.
        settled: Names suffice to tell what the keys mean.
    """

    reads_text = False

    def __init__(self, rules: EventRules, splitter: RecordSplitter, file_names: tuple[str, ...], longest: int) -> None:
        """Know no keys yet."""
        super().__init__(rules, splitter, file_names, longest)
        self._choice = KeyChoice(self._rule)
        self._shape = Shape(self._rule.limits.nesting)
        self._lessons = 0
        self._loop: Generated | None = None
        self.settled = False
        self._times: list[Leaf] = []
        self._candidates: list[Leaf] = []
        self._attributes: list[tuple[Leaf, str]] = []

    def loop(self, *, ascii_text: bool) -> Generated:
        """Return the loop for the keys known by now."""
        if self._loop is None:
            if not (self.settled or self.reads_text):
                raise Slow
            self._loop = self.generate()
        return self._loop

    def learn(self, text: str) -> None:
        """Take in the keys of the records of *text*, which did not fit."""
        if self._shape.odd or self._lessons >= MOST_LESSONS:
            return
        new = False
        for record in self.to_learn(text):
            value = self.object_of(record)
            if value is not None:
                new |= self._shape.learn(value)
        if new:
            self._lessons += 1
            self._loop, self.settled = None, self._settle()
            if not self.settled:
                self._times, self._candidates, self._attributes = [], [], []

    def to_learn(self, text: str) -> Iterable[str]:
        """Return the records of *text*."""
        return self._splitter.split(text)

    def object_of(self, record: str) -> dict[str, object] | None:
        """Return the keys and values of a record; None where it has none."""
        try:
            value = _decode(record)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    # -- what the keys mean --------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Sort the leaves by what they are; return whether names suffice for that."""
        leaves = self._shape.leaves()
        if self._shape.odd or not leaves:
            return False
        ranks = {leaf: self._choice.ranks(leaf.name) for leaf in leaves}
        self._times = sorted(
            (leaf for leaf in leaves if ranks[leaf][0] is not None), key=lambda leaf: ranks[leaf][0] or 0
        )
        levels = (leaf for leaf in leaves if ranks[leaf][1] is not None)
        self._candidates = sorted(levels, key=lambda leaf: ranks[leaf][1] or 0)
        ours = {*FIXED, *self.own_names, *self._file_names, *static_attributes(self._rule, self._file_names)}
        self._attributes = [(leaf, placed_name(leaf.name, ours)) for leaf in leaves]
        names = self.key_names()
        limits = self._rule.limits
        return (
            all(leaf.kinds <= _TIME_KINDS for leaf in self._times)
            and all(leaf.kinds <= _LEVEL_KINDS for leaf in self._candidates)
            and set(self._times).isdisjoint(self._candidates)
            and all(len(group) == len({ranks[leaf] for leaf in group}) for group in (self._times, self._candidates))
            and len({leaf.name for leaf in leaves}) == len(leaves)
            and len(set(names)) == len(names)
            and ours.isdisjoint(names)
            and len(names) + len(ours) + len(OPTIONAL) <= limits.attributes
            and all(len(name.encode()) <= limits.key_bytes for name in names)
            and self._has_struct()
        )

    def _has_struct(self) -> bool:
        try:
            self._shape.struct()
        except ValueError:  # a key with a quote or backslash in it
            return False
        return True

    def attribute_names(self) -> list[str]:
        """Return our own names, and those of the keys."""
        return [*self.own_names, *self.key_names()]

    def key_names(self) -> list[str]:
        """Return the flat names; `status` is two of them, by its value."""
        names: list[str] = []
        for leaf, name in self._attributes:
            names += ["http.status_code", MOVED + leaf.name] if leaf.name.lower() == "status" else [name]
        return names

    # -- making the loop -----------------------------------------------------------------------------

    def scope(self) -> dict[str, object]:
        """Add the decoder, and what is a level and what is none."""
        levels: list[dict[str | int, tuple[str, str | UnsetType, bool]]] = [{} for _ in self._candidates]
        return {
            **super().scope(), "decode": self.decoder() if self.settled else None,
            "KNOWN": levels, "judge": self._judge, "listed": self._listed,
            "MISFIT": msgspec.ValidationError, "BROKEN": (msgspec.DecodeError, UnicodeEncodeError, RecursionError),
        }  # fmt: skip

    def decoder(self) -> Callable[[str], object]:
        """Return what makes a record's text the struct of the shape, or raises one of `MISFIT`."""
        return msgspec.json.Decoder(self._shape.struct()).decode

    def _judge(self, index: int, level: str | int, known: dict[str | int, tuple[str, str | UnsetType, bool]]) -> object:
        """Return the severity of a candidate's value, `log.raw_level`, and whether it is a level at all."""
        is_level = self._choice.is_level(self._candidates[index].name.lower(), level)
        severity, raw = self._rules.level(level) if is_level else ("", None)
        found = severity, self.masked(raw), is_level
        if len(known) < 10_000:
            known[level] = found
        return found

    def _listed(self, items: list[object], longest: int) -> object:
        flat = flat_list(items)
        if len(flat) > self._rule.limits.values or any(isinstance(item, str) and len(item) > longest for item in flat):
            raise Slow
        return flat

    def body(self, pad: str) -> list[str]:
        """Decode the record, then take its fields one by one."""
        inner = pad + "    "
        unparsed = [f"{inner}unparsed += 1", *self.bare(None, (), inner)]
        return [*self.decoded(pad), f"{pad}if v is None:", *unparsed, f"{pad}else:", *self.fields(inner)]

    @staticmethod
    def decoded(pad: str) -> list[str]:
        """Return the lines that set `v`: None where the record is broken."""
        return [
            f"{pad}try: v = decode(r)",
            f"{pad}except MISFIT: raise Slow from None",
            f"{pad}except BROKEN: v = None",
        ]

    def fields(self, pad: str) -> list[str]:
        """Return the lines that make an event of the struct `v`."""
        variables = {leaf: f"x{index}" for index, (leaf, _) in enumerate(self._attributes)}
        out = [f"{pad}{variables[leaf]} = v.{leaf.path}" for leaf, _ in self._attributes]
        out += self._time_of([variables[leaf] for leaf in self._times], pad)
        out += self._level_of([variables[leaf] for leaf in self._candidates], pad)
        values = [*self.own_names.values()]
        for leaf, _ in self._attributes:
            out += self._checked(variables[leaf], leaf, pad)
            if leaf.name.lower() == "status":
                out += [
                    f"{pad}h = a = UNSET",
                    f"{pad}if {variables[leaf]} is UNSET: pass",
                    f"{pad}elif is_http({variables[leaf]}): h = {variables[leaf]}",
                    f"{pad}else: a = {variables[leaf]}",
                ]
                values += ["h", "a"]
            else:
                values.append(variables[leaf])
        return out + self.add(values, pad)

    def _time_of(self, variables: list[str], pad: str) -> list[str]:
        """The first time key that is there is the time, and no attribute."""
        out = []
        for turn, name in enumerate(variables):
            out.append(f"{pad}{'el' if turn else ''}if {name} is not UNSET: t = {name}; {name} = UNSET")
        if self.outer:  # a runtime's own stamp, in `o`, wins over what the message says
            return out + self.stamp("o", pad)
        if not variables:
            return self.stamp(None, pad)
        out.append(f"{pad}else: t = None")
        return out + self.stamp("t", pad)

    def _level_of(self, variables: list[str], pad: str) -> list[str]:
        """The first level key whose value is a level is the level, and no attribute."""
        out = [f"{pad}sv = lv = None"]
        for index, name in enumerate(variables):
            out += [
                f"{pad}if sv is None and {name} is not UNSET:",
                f"{pad}    try: s, w, is_level = KNOWN[{index}][{name}]",
                f"{pad}    except KeyError: s, w, is_level = judge({index}, {name}, KNOWN[{index}])",
                f"{pad}    if is_level: sv = s; raw = w; lv = {name}; {name} = UNSET",
            ]
        return [*out, f"{pad}if sv is None: sv = DEFAULT; raw = UNSET", *self.content_severity(pad)]

    def _checked(self, name: str, leaf: Leaf, pad: str) -> list[str]:
        """Send null as nothing, lists flat, and nothing that is over a limit."""
        out = []
        if "null" in leaf.kinds:
            out.append(f"{pad}if {name} is None: {name} = UNSET")
        if "list" in leaf.kinds:
            out.append(f"{pad}if type({name}) is list: {name} = listed({name}, VALUE)")
        if self._checks_values and "str" in leaf.kinds:
            out.append(f"{pad}if type({name}) is str and len({name}) > VALUE: raise Slow")
        return out
