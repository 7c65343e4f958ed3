"""The generated loop for lines whose columns a header names (W3C): one for each header that comes.

A chunk with a directive line, a quoted value or a line of other columns is
left to the plain way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shipper.core.attributes import placed_name, static_attributes
from shipper.core.columns import ABSENT, TIMES, Header, parted
from shipper.core.event import EventRules
from shipper.core.loop import FIXED, OPTIONAL, EventLoop, Generated, Slow
from shipper.core.model import Carry, Encoded, FileFacts
from shipper.core.records import RecordSplitter

_HEADERS_KEPT: Final = 64
_QUOTES: Final = frozenset('"\\')


class ColumnLoop(EventLoop):
    """The loop of a W3C rule."""

    def __init__(self, rules: EventRules, splitter: RecordSplitter, file_names: tuple[str, ...], longest: int) -> None:
        """Know no header yet."""
        super().__init__(rules, splitter, file_names, longest)
        self._level_name = self._rule.severity.field
        self._times = (self._rule.stamp.field,) if self._rule.stamp.field else TIMES
        self._loops: dict[Header, Generated | None] = {}
        self._header: Header = ()
        self._day = ""
        self._columns: dict[str, int] = {}
        self._attributes: dict[str, int] = {}

    def run(self, text: str, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Return the events of *text*, whose header is that of *carry*."""
        if text.startswith("#") or "\n#" in text or '"' in text:
            raise Slow
        self._header = carry.header
        return super().run(text, facts, carry, now_ms)

    def loop(self, *, ascii_text: bool) -> Generated:
        """Return the loop for the header that is in force."""
        if self._header not in self._loops:
            if len(self._loops) >= _HEADERS_KEPT:
                self._loops.clear()
            self._loops[self._header] = self.generate() if self._settle() else None
        loop = self._loops[self._header]
        if loop is None:
            raise Slow
        return loop

    def _settle(self) -> bool:
        """Sort the columns by what they are; return whether each has one meaning."""
        self._day, names = parted(self._header)
        self._columns = {name: index for index, name in enumerate(names)}
        taken = {self._level_name, *self._stamp_columns()}
        ours = {*FIXED, *self._file_names, *static_attributes(self._rule, self._file_names)}
        self._attributes = {
            placed_name(name, ours): index for name, index in self._columns.items() if name not in taken
        }
        limits = self._rule.limits
        return (
            0 < len(names) == len(self._columns)
            and len(self._attributes) == len(self._columns) - len(taken & self._columns.keys())
            and ours.isdisjoint(self._attributes)
            and len(self._attributes) + len(ours) + len(OPTIONAL) <= limits.attributes
            and all(name.lower() != "status" for name in names)
            and all(name.isprintable() and _QUOTES.isdisjoint(name) for name in names)
            and all(len(name.encode()) <= limits.key_bytes for name in self._attributes)
            and self._level_name not in self._stamp_columns()
        )

    def _stamp_columns(self) -> Sequence[str]:
        """Return the columns that are the stamp: day and time, or the first of those that may be."""
        if "date" in self._columns and "time" in self._columns:
            return ("date", "time")
        return [name for name in self._times if name in self._columns][:1]

    # -- making the loop -----------------------------------------------------------------------------

    def attribute_names(self) -> list[str]:
        """Return the columns' names."""
        return list(self._attributes)

    def scope(self) -> dict[str, object]:
        """Add what stands for no value, and the day that stands above lines with a mere time."""
        return {**super().scope(), "ABSENT": ABSENT, "DAY": f"{self._day} "}

    def body(self, pad: str) -> list[str]:
        """Split the line, then take its columns one by one."""
        count = len(self._columns)
        out = [
            f"{pad}v = r.split('\\t')",
            f"{pad}if len(v) != {count}:",
            f"{pad}    v = r.split()",
            f"{pad}    if len(v) != {count}: raise Slow",
            f"{pad}{''.join(f'x{index}, ' for index in range(count))} = v",
            *self._stamp_of(pad),
        ]
        level = "None"
        if self._level_name in self._columns:
            level = f"x{self._columns[self._level_name]}"
            out.append(f"{pad}if {level} in ABSENT: {level} = None")
        out += self.severity(level, pad)
        values = []
        for index in self._attributes.values():
            if self._checks_values:
                out.append(f"{pad}if len(x{index}) > VALUE: raise Slow")
            values.append(f"UNSET if x{index} in ABSENT else x{index}")
        return out + self.add(values, pad)

    def _stamp_of(self, pad: str) -> list[str]:
        names = self._stamp_columns()
        places = [f"x{self._columns[name]}" for name in names]
        if not names:
            return self.stamp(None, pad)
        if names == ("date", "time"):
            day, time = places
            out = [f"{pad}if {day} in ABSENT or {time} in ABSENT: raise Slow", f"{pad}t = {day} + ' ' + {time}"]
        else:
            out = [f"{pad}t = {places[0]}", f"{pad}if t in ABSENT: raise Slow"]  # another column may hold one
            if names[0] == "time" and self._day:
                out.append(f"{pad}elif '-' not in t: t = DAY + t")
        return out + self.stamp("t", pad)
