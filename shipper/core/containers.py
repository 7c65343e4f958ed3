"""Log lines of container runtimes: the message inside, its stream, its time, and partial messages joined.

CRI: `TIME STREAM P|F MESSAGE`; Docker: one JSON object a line with `log`,
`stream` and `time`, partial where `log` does not end with a newline. A rule
for several lines joins messages, each stream's by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from shipper.core.event import Outer
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat
from shipper.core.text import ANSI_MARK, without_ansi

MOST_BETWEEN: Final = 50
"""Messages of the other stream between two of one record; what comes later does not go on with it."""


class DockerLine(msgspec.Struct):
    """The keys of a Docker json-file line that matter here."""

    log: str
    stream: str = "stdout"
    time: str = ""


class Message(NamedTuple):
    """A message or several that are one record; *lines* are the indexes of the lines that it was joined from."""

    text: str
    outer: Outer | None
    lines: tuple[int, ...]


_docker = msgspec.json.Decoder(DockerLine)


def messages(
    lines: Iterable[str], record_format: RecordFormat, splitter: RecordSplitter | None = None
) -> Iterator[Message]:
    """Yield the records of *lines*.

    A line that is not of the format is a record of its own, without an outer. Without a multi-line rule in *splitter*
    each message is a record, yielded where its last line stands, and partial ones at the end come last.
    """
    joined = Joined(record_format, splitter)
    if splitter is not None and splitter.multi:
        records = [record for index, line in enumerate(lines) for record in joined.add(index, line)]
        yield from sorted(records + joined.close(), key=lambda record: record.lines)
        return
    for index, line in enumerate(lines):
        yield from joined.message(index, line)
    yield from joined.close()


class Joined:
    """Joins lines to messages, and messages to records, for each stream by itself.

    Attributes:
        whole: How many of the lines taken, from the first on, belong to whole records only; with a rule for several.
    """

    def __init__(self, record_format: RecordFormat, splitter: RecordSplitter | None = None) -> None:
        """Join messages by *splitter*, where it has a rule for several lines."""
        self._parse = _cri_line if record_format is RecordFormat.CRI else _docker_line
        self._splitter = splitter if splitter is not None and splitter.multi else None
        self._ansi = splitter is not None and splitter.ansi
        self._waiting: dict[str, tuple[list[str], Outer, list[int]]] = {}
        self._open: dict[str, _Open] = {}
        self._count = self._reach = self.whole = 0

    def add(self, index: int, line: str) -> list[Message]:
        """Take a line and return the records that are whole with it."""
        done = self.message(index, line)
        if self._splitter is not None:
            self._reach = max(self._reach, *(message.lines[-1] + 1 for message in done), 0)
            begun = [indexes[0] for _, _, indexes in self._waiting.values()]
            whole = min((*begun, *(record.lines[0] for record in self._open.values()), index + 1))
            if self._reach <= whole:
                self.whole = whole
        return done

    def message(self, index: int, line: str) -> list[Message]:
        """Take a line and return the same, without a count of what is whole."""
        if not line or line.isspace():
            return []
        parsed = self._parse(line)
        if parsed is None:
            return [Message(line, None, (index,))]
        outer, text, whole = parsed
        if self._ansi and ANSI_MARK in text:  # which JSON has written as an escape
            text = without_ansi(text)
        begun = self._waiting.pop(outer.stream, None)
        if begun is None and whole:
            return self._take(text, outer, [index])
        texts, first, indexes = begun or ([], outer, [])
        texts.append(text)
        indexes.append(index)
        if whole:
            return self._take("".join(texts), first, indexes)
        self._waiting[outer.stream] = (texts, first, indexes)
        return []

    def close(self) -> list[Message]:
        """Return what is open, as records."""
        done: list[Message] = []
        for texts, first, indexes in self._waiting.values():
            done += self._take("".join(texts), first, indexes)
        self._waiting.clear()
        done += [record.message() for record in self._open.values()]
        self._open.clear()
        return done

    def _take(self, text: str, outer: Outer, lines: list[int]) -> list[Message]:
        if self._splitter is None:
            return [Message(text, outer, tuple(lines))]
        self._count += 1
        done = [
            self._open.pop(stream).message()
            for stream, record in list(self._open.items())
            if stream != outer.stream and self._count - record.last > MOST_BETWEEN
        ]
        above = self._open.get(outer.stream)
        starts = self._splitter.is_start(text, above.texts[-1] if above is not None else None)
        if above is not None and not starts and above.takes(text, self._splitter):
            above.add(text, lines, self._count)
            return done
        if above is not None:
            done.append(above.message())
        # What is cut because it is too long goes on as surely as it did before.
        sure = starts or self._splitter.continues or (above is not None and above.sure)
        self._open[outer.stream] = _Open(text, outer, lines, self._count, sure=sure)
        return done


class _Open:
    """A record that may go on; *sure* where its first message is known to begin one."""

    def __init__(self, text: str, outer: Outer, lines: list[int], count: int, *, sure: bool) -> None:
        self.texts, self.lines, self.last = [text], list(lines), count
        self.sure, self._outer, self._size = sure, outer, _size(text)

    def takes(self, text: str, splitter: RecordSplitter) -> bool:
        """Return whether *text* goes on with it: what nobody began takes only what is plainly below something."""
        belongs = self.sure or text[:1] in (" ", "\t") or text.startswith("Caused by: ")
        return belongs and len(self.texts) < splitter.max_lines and self._size + _size(text) <= splitter.max_bytes

    def add(self, text: str, lines: list[int], count: int) -> None:
        self.texts.append(text)
        self.lines += lines
        self.last = count
        self._size += _size(text)

    def message(self) -> Message:
        return Message("\n".join(self.texts).rstrip("\n"), self._outer, tuple(self.lines))


def _size(text: str) -> int:
    return (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) + 1


def joins(line: str, record_format: RecordFormat) -> tuple[str, bool]:
    """Return the stream of a log line, and whether its message is whole with it; what is no log line joins nothing."""
    parsed = (_cri_line if record_format is RecordFormat.CRI else _docker_line)(line)
    return ("", True) if parsed is None else (parsed[0].stream, parsed[2])


def _cri_line(line: str) -> tuple[Outer, str, bool] | None:
    parts = line.split(" ", 3)
    if len(parts) < 3 or parts[1] not in ("stdout", "stderr"):
        return None
    flag = parts[2].partition(":")[0]
    if flag not in ("P", "F"):
        return None
    return Outer(parts[0], parts[1]), parts[3] if len(parts) > 3 else "", flag == "F"


def _docker_line(line: str) -> tuple[Outer, str, bool] | None:
    try:
        decoded = _docker.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    whole = decoded.log.endswith("\n")
    return Outer(decoded.time, decoded.stream), decoded.log.removesuffix("\n").removesuffix("\r"), whole
