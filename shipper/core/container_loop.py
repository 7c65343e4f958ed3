"""The generated loops for log lines of container runtimes: the message inside is text, JSON or logfmt.

A chunk is taken apart into stamp, stream and message at once. One with a
partial message, or with a line that the runtime did not write, is left to the
plain way. Fractions of a second are cut to milliseconds before the stamp is
looked up: else each line's nine digits would be new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from shipper.core.compiler import PatternLoop
from shipper.core.containers import DockerLine
from shipper.core.extract import is_leveled, logfmt_pairs
from shipper.core.json_loop import JsonLoop
from shipper.core.logfmt_loop import pairs_decoder
from shipper.core.loop import EventLoop, Slow

# The same as splitting at the first three blanks, for whole messages: stamp (less what its fraction has beyond
# milliseconds), zone, stream, message.
_CRI_LINE: Final = re.compile(
    r"\n([^ \n]{0,19}(?:\.\d{1,3})?)(?:(?<=\.\d\d\d)\d{0,6}(?=[Zz+-]))?([^ \n]*) (stdout|stderr) F(?::[^ \n]*)?"
    r"(?: ([^\n]*)|(?![^\n]))",
    re.ASCII,
)
_docker: Final = msgspec.json.Decoder(DockerLine)


class CriLines(EventLoop):
    """What containerd and CRI-O write."""

    outer = True
    own_names: Mapping[str, str] = {"log.iostream": "q"}

    def each(self) -> list[str]:
        """Go over what `records` found."""
        return ["    for o, z, q, r in records:", "        o += z"]

    def records(self, text: str) -> Sequence[tuple[str, str, str, str]]:
        """Return stamp, zone, stream and message of each line."""
        found: list[tuple[str, str, str, str]] = _CRI_LINE.findall("\n" + text)
        if len(found) != text.count("\n") + 1:
            raise Slow
        if max([len(line[3]) for line in found]) * (1 if text.isascii() else 4) > self._longest:
            raise Slow
        return found


class DockerLines(EventLoop):
    """What Docker's json-file driver writes."""

    outer = True
    own_names: Mapping[str, str] = {"log.iostream": "q"}

    def each(self) -> list[str]:
        """Take apart the struct of a line."""
        return [
            "    for w in records:",
            "        r = w.log; q = w.stream; o = w.time",
            "        if r[-1:] != '\\n': raise Slow",
            "        r = r[:-2] if r[-2:-1] == '\\r' else r[:-1]",
            "        if 24 < len(o) < 31 and o[19] == '.' and o[-1] == 'Z' and o[20:-1].isdigit() and o.isascii():",
            "            o = o[:23] + 'Z'",
        ]

    def is_ascii(self, text: str) -> bool:
        """Return whether the messages are ASCII: what stands escaped in an ASCII line need not be."""
        return text.isascii() and "\\u" not in text

    def records(self, text: str) -> Sequence[DockerLine]:
        """Return the keys of each line."""
        try:
            found = _docker.decode_lines(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise Slow from None
        # An object may go on over a line end, or share its line, but none goes on between these two braces.
        if not len(found) - 1 == text.count("\n") == text.count("}\n{"):
            raise Slow
        if max([len(line.log) for line in found]) * (1 if self.is_ascii(text) else 4) > self._longest:
            raise Slow
        return found


class ContainerLoop(JsonLoop):
    """The loop of messages whose program is not known; grows with the keys that it meets in them."""

    reads_text = True

    def object_of(self, record: str) -> dict[str, object] | None:
        """Return the keys of a message; None where it is text."""
        if record.startswith("{"):
            return super().object_of(record)
        return dict(logfmt_pairs(record)) if is_leveled(record) else None

    def scope(self) -> dict[str, object]:
        """Add what reads logfmt."""
        decode_pairs = pairs_decoder(self._shape.struct()) if self.settled else None
        return {**super().scope(), "decode_pairs": decode_pairs, "is_leveled": is_leveled}

    def body(self, pad: str) -> list[str]:
        """Tell text from JSON and logfmt; `o` is the runtime's stamp, `q` the stream."""
        inner = pad + "    "
        text = self.bare("o", ["q"], inner)
        if not self.settled:
            return [f"{pad}if r[:1] == '{{' or is_leveled(r): raise Slow", f"{pad}else:", *text]
        return [
            f"{pad}if r[:1] == '{{':",
            *self.decoded(inner),
            f"{pad}elif '=' in r and is_leveled(r):",
            f"{inner}try: v = decode_pairs(r)",
            f"{inner}except MISFIT: raise Slow from None",
            f"{pad}else: v = None",
            f"{pad}if v is None:",
            *text,
            f"{pad}else:",
            *self.fields(inner),
        ]


class CriLoop(CriLines, ContainerLoop):
    """The loop of a CRI rule."""

    def to_learn(self, text: str) -> Iterable[str]:
        """Return the messages of *text*, where all of it is whole ones."""
        return [line[3] for line in _CRI_LINE.findall("\n" + text)]


class DockerLoop(DockerLines, ContainerLoop):
    """The loop of a Docker rule."""

    def to_learn(self, text: str) -> Iterable[str]:
        """Return the messages of *text*, where all of it is log lines."""
        try:
            return [line.log.removesuffix("\n") for line in _docker.decode_lines(text)]
        except (msgspec.DecodeError, UnicodeEncodeError):
            return []


class CriPatternLoop(CriLines, PatternLoop):
    """The loop of a CRI rule with patterns for the messages."""


class DockerPatternLoop(DockerLines, PatternLoop):
    """The loop of a Docker rule with patterns for the messages."""
