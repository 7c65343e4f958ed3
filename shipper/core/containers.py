"""Log lines of container runtimes: the message inside, its stream, its time, and partial messages joined.

CRI: `TIME STREAM P|F MESSAGE`; Docker: one JSON object a line with `log`,
`stream` and `time`, partial where `log` does not end with a newline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from shipper.core.event import Outer
from shipper.core.rule import RecordFormat


class DockerLine(msgspec.Struct):
    """The keys of a Docker json-file line that matter here."""

    log: str
    stream: str = "stdout"
    time: str = ""


class Message(NamedTuple):
    """A whole message; *lines* are the indexes of the lines that it was joined from."""

    text: str
    outer: Outer | None
    lines: tuple[int, ...]


_docker = msgspec.json.Decoder(DockerLine)


def messages(lines: Iterable[str], record_format: RecordFormat) -> Iterator[Message]:
    """Yield the messages of *lines*, each where its last line stands; partial ones at the end come last.

    A line that is not of the format is a message of its own, without an outer.
    """
    parse = _cri_line if record_format is RecordFormat.CRI else _docker_line
    waiting: dict[str, tuple[list[str], Outer, list[int]]] = {}
    for index, line in enumerate(lines):
        if not line or line.isspace():
            continue
        parsed = parse(line)
        if parsed is None:
            yield Message(line, None, (index,))
            continue
        outer, text, whole = parsed
        begun = waiting.pop(outer.stream, None)
        if begun is None and whole:
            yield Message(text, outer, (index,))
            continue
        texts, first, indexes = begun or ([], outer, [])
        texts.append(text)
        indexes.append(index)
        if whole:
            yield Message("".join(texts), first, tuple(indexes))
        else:
            waiting[outer.stream] = (texts, first, indexes)
    for texts, first, indexes in waiting.values():
        yield Message("".join(texts), first, tuple(indexes))


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
