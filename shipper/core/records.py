"""Where a record begins: the one owner of that question, for framing and for reading.

Text here is decoded and its lines are separated by LF alone. A record is one
line, or with multi-line rules the lines from one start to the next, cut
before it passes the rule's limits.
"""

from __future__ import annotations

import re

from shipper.core.rule import RecordFormat, Rule


class RecordSplitter:
    """Splits text into records by one rule."""

    def __init__(self, rule: Rule) -> None:
        """Compile what *rule* says of multi-line records."""
        multiline = rule.multiline
        self.multi = multiline is not None
        self._starts: list[re.Pattern[str]] = []
        self._continues: re.Pattern[str] | None = None
        self._max_lines = self._max_bytes = 0
        if multiline is None:
            return
        self._max_lines, self._max_bytes = multiline.max_lines, multiline.max_bytes
        if multiline.continue_ is not None:
            self._continues = re.compile(multiline.continue_)
        elif multiline.start is not None:
            self._starts = [re.compile(multiline.start)]
        elif rule.format is RecordFormat.JSON:
            self._starts = [re.compile(r"\{")]
        else:
            self._starts = [re.compile(pattern) for pattern in rule.patterns]

    def is_start(self, line: str) -> bool:
        """Return whether *line* begins a record; always, where each line is one."""
        if not self.multi:
            return True
        if self._continues is not None:
            return self._continues.match(line) is None
        return any(pattern.match(line) for pattern in self._starts)

    def split(self, text: str) -> list[str]:
        """Return the records of *text*, which holds whole ones, without blank ones or blank lines at an end."""
        if not self.multi:
            return [line for line in text.split("\n") if line and not line.isspace()]
        return [text[start:end] for start, end in self.spans(text)]

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
        for line in text.split("\n"):
            width = len(line) + 1
            full = begin >= 0 and (lines >= self._max_lines or size + self._size(line) > self._max_bytes)
            if begin < 0 or full or self.is_start(line):
                if begin >= 0:
                    _add(spans, text, begin, at - 1)
                begin, lines, size = at, 0, 0
            lines += 1
            size += self._size(line)
            at += width
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
