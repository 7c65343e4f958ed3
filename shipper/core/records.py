"""Where a record begins: the one owner of that question, for framing and for reading.

Text here is decoded and its lines are separated by LF alone. A record is one
line, or with multi-line rules the lines from one start to the next, cut
before it passes the rule's limits.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from shipper.core.line_patterns import starts_after_newline
from shipper.core.rule import RecordFormat, Rule

_BLANK_LINE: Final = re.compile(r"\n[^\S\n]*+(?![^\n])")


class RecordSplitter:
    """Splits text into records by one rule."""

    def __init__(self, rule: Rule) -> None:
        """Compile what *rule* says of multi-line records."""
        multiline = rule.multiline
        self.multi = multiline is not None
        self.ansi = rule.ansi
        self._starts: list[re.Pattern[str]] = []
        self._continues: re.Pattern[str] | None = None
        self._heading: re.Pattern[str] | None = None
        self.max_lines = self.max_bytes = 0
        self._borders: dict[bool, re.Pattern[str] | None] = {}
        if multiline is None:
            return
        self.max_lines, self.max_bytes = multiline.max_lines, multiline.max_bytes
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
        if self._heading is None:
            patterns = [self._continues] if self._continues is not None else self._starts
            texts, negated = [pattern.pattern for pattern in patterns], self._continues is not None
            self._borders = {
                known: starts_after_newline(texts, ascii_text=known, negated=negated) for known in (False, True)
            }

    @property
    def continues(self) -> bool:
        """Whether a line begins a record unless it is said to go on."""
        return self._continues is not None

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
        if not self.multi:
            lines = text.split("\n")
            return lines if _are_plain(lines, text) else [line for line in lines if line and not line.isspace()]
        count = text.count("\n") + 1
        records = self._whole_records(text, count)
        if records is None:
            return [text[start:end] for start, end in self.spans(text)]
        if len(records) == count and _are_plain(records, text):
            return records
        if not text or text[0].isspace() or _BLANK_LINE.search(text):
            return [found for found in map(_without_blank_ends, records) if found]
        return records

    def _whole_records(self, text: str, count: int) -> list[str] | None:
        """Return *text*, *count* lines, cut where records begin; None where a limit may cut one besides."""
        plain = text.isascii()
        if (len(text) + 1) * (1 if plain else 4) > self.max_bytes:
            return None
        border = self._borders.get(plain)
        if border is not None:
            records = border.split(text)
            more = count - len(records)
            fits = more < self.max_lines or max(record.count("\n") for record in records) < self.max_lines
            return records if fits else None
        lines = text.split("\n")
        starts = self._start_indexes(lines)
        if starts is None:
            return None
        return ["\n".join(lines[begin:end]) for begin, end in pairwise((*starts, len(lines)))]

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
        return starts if longest <= self.max_lines else None

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
            full = begin >= 0 and (lines >= self.max_lines or size + self._size(line) > self.max_bytes)
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


def _are_plain(lines: list[str], text: str) -> bool:
    """Return whether none of the *lines* of *text* is blank, as far as ASCII tells: no white space sorts after " "."""
    return text.isascii() and min(lines)[:1] > " "


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
    if record and not (record[0].isspace() or record[-1].isspace()):
        return record
    lines = record.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        del lines[0]
    return "\n".join(lines)
