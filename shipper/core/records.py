"""Where a record begins: the one owner of that question, for framing and for reading.

Text here is decoded and its lines are separated by LF alone. A record is one
line, or with multi-line rules the lines from one start to the next, cut
before it passes the rule's limits.
"""

from __future__ import annotations

import re
from itertools import pairwise

from shipper.core.rule import RecordFormat, Rule


class RecordSplitter:
    """Splits text into records by one rule."""

    def __init__(self, rule: Rule) -> None:
        """Compile what *rule* says of multi-line records."""
        multiline = rule.multiline
        self.multi = multiline is not None
        self._starts: list[re.Pattern[str]] = []
        self._continues: re.Pattern[str] | None = None
        self._heading: re.Pattern[str] | None = None
        self._max_lines = self._max_bytes = 0
        if multiline is None:
            return
        self._max_lines, self._max_bytes = multiline.max_lines, multiline.max_bytes
        if multiline.heading is not None:
            self._heading = re.compile(multiline.heading)
        if multiline.continue_ is not None:
            self._continues = re.compile(multiline.continue_)
        elif multiline.start is not None:
            self._starts = [re.compile(multiline.start)]
        elif rule.format is RecordFormat.JSON:
            self._starts = [re.compile(r"\{")]
        else:
            self._starts = [re.compile(pattern) for pattern in rule.patterns]

    def is_start(self, line: str, above: str | None) -> bool:
        """Return whether *line*, below *above*, begins a record; always, where each line is one."""
        if not self.multi:
            return True
        if self._heading is not None and above is not None and self._heading.match(above):
            return False
        if self._continues is not None:
            return self._continues.match(line) is None
        return any(pattern.match(line) for pattern in self._starts)

    def split(self, text: str) -> list[str]:
        """Return the records of *text*, which holds whole ones, without blank ones or blank lines at an end."""
        lines = text.split("\n")
        if not self.multi:
            return [line for line in lines if line and not line.isspace()]
        starts = self._start_indexes(lines)
        if starts is None or (len(text) + 1) * (1 if text.isascii() else 4) > self._max_bytes:
            return [text[start:end] for start, end in self.spans(text)]
        records = []
        for begin, end in pairwise((*starts, len(lines))):
            record = lines[begin] if end - begin == 1 else "\n".join(lines[begin:end])
            if not record or record[0].isspace() or record[-1].isspace():
                record = _without_blank_ends(record)
            if record:
                records.append(record)
        return records

    def _start_indexes(self, lines: list[str]) -> list[int] | None:
        """Return which lines begin a record; None where one is cut because it has too many lines."""
        if self._continues is not None:
            goes_on = self._continues.match
            starts = [index for index, line in enumerate(lines) if goes_on(line) is None]
        elif len(self._starts) == 1:
            begins = self._starts[0].match
            starts = [index for index, line in enumerate(lines) if begins(line)]
        else:
            starts = [index for index, line in enumerate(lines) if self.is_start(line, None)]
        if self._heading is not None:
            above = self._heading.match
            starts = [index for index in starts if not index or above(lines[index - 1]) is None]
        if not starts or starts[0]:
            starts.insert(0, 0)  # whatever comes first begins a record
        longest = max(end - begin for begin, end in pairwise((*starts, len(lines))))
        return starts if longest <= self._max_lines else None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each record of `split` stands, in characters."""
        spans: list[tuple[int, int]] = []
        if not self.multi:
            at = 0
            for line in text.split("\n"):
                if line and not line.isspace():
                    spans.append((at, at + len(line)))
                at += len(line) + 1
            return spans
        begin = -1
        lines = size = at = 0
        above = None
        for line in text.split("\n"):
            width = len(line) + 1
            full = begin >= 0 and (lines >= self._max_lines or size + self._size(line) > self._max_bytes)
            if begin < 0 or full or self.is_start(line, above):
                if begin >= 0:
                    _add(spans, text, begin, at - 1)
                begin, lines, size = at, 0, 0
            lines += 1
            size += self._size(line)
            at += width
            above = line
        if begin >= 0:
            _add(spans, text, begin, len(text))
        return spans

    @staticmethod
    def _size(line: str) -> int:
        return (len(line) if line.isascii() else len(line.encode("utf-8", "surrogatepass"))) + 1


def _add(spans: list[tuple[int, int]], text: str, begin: int, end: int) -> None:
    """Add a record without the blank lines at its ends."""
    while begin < end:
        line_end = text.find("\n", begin, end)
        line_end = end if line_end < 0 else line_end
        if text[begin:line_end].strip():
            break
        begin = line_end + 1
    while end > begin:
        line_start = text.rfind("\n", begin, end) + 1
        line_start = max(line_start, begin)
        if text[line_start:end].strip():
            spans.append((begin, end))
            return
        end = line_start - 1


def _without_blank_ends(record: str) -> str:
    lines = record.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        del lines[0]
    return "\n".join(lines)
