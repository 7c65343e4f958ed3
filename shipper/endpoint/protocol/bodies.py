"""A request's body to its records, without a judgement on each.

Source: the reference page, section 2 (JSON, JSON lines, text) and 6 (what is
not JSON at all).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from shipper.endpoint.protocol.request import Form

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"

_decode: Final = msgspec.json.Decoder().decode
_decode_raw: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Batch(NamedTuple):
    """The records of a body.

    Attributes:
        events: Each decoded; one that is not an object is not an event.
        joined: All of them as they came, joined by commas.
        is_plain: None has an object or an array inside.
        pieces: The records of *joined* one by one, where that is known.
    """

    events: list[object]
    joined: bytes
    is_plain: bool
    pieces: list[bytes] | None = None

    def cut(self) -> list[bytes]:
        """Return the bytes of each record."""
        if self.pieces is not None:
            return self.pieces
        return [bytes(raw) for raw in _decode_raw(b"[" + self.joined + b"]")]


class Unreadable(NamedTuple):
    """Why there are no records: *reason* is the counter's name."""

    reason: str
    message: str


_EMPTY: Final = Unreadable("empty_messages", "The request has no events")


def read_body(form: Form, body: bytes) -> Batch | Unreadable:
    """Return the records of *body*."""
    return _READERS[form](body)


def _read_json(body: bytes) -> Batch | Unreadable:
    text = body.removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
    if not text:
        return _EMPTY
    try:
        value = _decode(text)
    except _UNDECODABLE as error:
        return Unreadable("invalid_json_format", _why(error))
    if isinstance(value, list):
        return Batch(value, text[1:-1], _is_plain(text, value, 1)) if value else _EMPTY
    if isinstance(value, dict):
        return Batch([value], text, _is_plain(text, [value], 0))
    return Unreadable("invalid_json_format", "Invalid JSON: neither an object nor an array")


def _read_lines(body: bytes) -> Batch | Unreadable:
    text = body.removeprefix(_BYTE_ORDER_MARK)
    pieces = [line for line in text.split(b"\n") if line.strip(_BLANK)]
    if not pieces:
        return _EMPTY
    try:
        events = [_decode(line) for line in pieces]
    except _UNDECODABLE:
        events = [_line(line) for line in pieces]
    return Batch(events, b",".join(pieces), _is_plain(text, events, 0), pieces)


def _read_text(body: bytes) -> Batch | Unreadable:
    try:
        content = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Unreadable("invalid_json_format", _why(error))
    if not content:
        return _EMPTY
    event: dict[str, object] = {"content": content}
    return Batch([event], msgspec.json.encode(event), is_plain=True)


_READERS: Final[dict[Form, Callable[[bytes], Batch | Unreadable]]] = {
    "json": _read_json,
    "lines": _read_lines,
    "text": _read_text,
}


def _line(line: bytes) -> object:
    """Return a line decoded, or None, which is no event either."""
    try:
        return _decode(line)
    except _UNDECODABLE:
        return None


def _is_plain(text: bytes, events: list[object], arrays: int) -> bool:
    """Return whether it takes no look at the values to know that none is a container.

    That all are objects has to be seen: one inside another and a number beside them would make up the same sum.
    """
    if text.count(b"{") != len(events) or text.count(b"[") != arrays:
        return False
    return all(type(event) is dict for event in events)


def _why(error: Exception) -> str:
    """Return what is wrong without a word of the body."""
    if isinstance(error, UnicodeDecodeError):
        return "Invalid body: not UTF-8"
    if isinstance(error, RecursionError):
        return "Invalid JSON: nested too deeply"
    return f"Invalid JSON: {error}"
