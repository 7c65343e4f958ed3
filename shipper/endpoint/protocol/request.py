"""What a request says before and beside its body.

Source: the reference page, sections 1 (query parameters and headers), 2
(media types) and 6 (what is refused).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from shipper.endpoint.model import Pairs
from shipper.endpoint.protocol.answers import UNSUPPORTED_TYPE, Answer, Violation, refuse
from shipper.endpoint.protocol.limits import Limits

INGEST_PATHS: Final = frozenset({"/v2/logs/ingest", "/api/v2/logs/ingest"})
ENCODINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True}
_UTF_8: Final = frozenset({"utf-8", "utf8"})
_RESERVED: Final = frozenset({"content-type", "structure"})

Structure = Literal["flattened", "raw"]
Form = Literal["json", "lines", "text"]
Query = list[tuple[str, str]]

MEDIA_TYPES: Final[dict[str, Form]] = {
    "application/json": "json",
    "application/jsonl": "lines",
    "application/jsonlines": "lines",
    "application/jsonlines+json": "lines",
    "application/x-ndjson": "lines",
    "application/x-jsonlines": "lines",
    "text/plain": "text",
}


class Request(NamedTuple):
    """A request whose body is here in full.

    Attributes:
        method: As sent: upper case.
        path: Without the query.
        query: Decoded pairs, in order.
        headers: Lower-case names; of a name sent twice, the values joined by a comma.
        body: Inflated, if the request names gzip.
    """

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: bytes


def check_head(
    method: str,
    path: str,
    headers: Mapping[str, str],
    limits: Limits,
    *,
    query: Query | None = None,
    lenient: bool = False,
) -> Answer | None:
    """Return why a request can be refused before its body is read, or None.

    Args:
        method: As sent.
        path: Without the query.
        headers: Lower-case names.
        limits: For ``Content-Length``: the body's bytes on the wire.
        query: Decoded pairs; without it the media type, which a query key may override, is not judged here.
        lenient: A request without a Content-Type is taken as JSON.
    """
    if path not in INGEST_PATHS:
        return refuse(404, "Not found; logs are taken by POST /v2/logs/ingest")
    if method != "POST":
        return refuse(405, f"Method not allowed: only POST {path}", headers={"Allow": "POST"})
    if headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
        return refuse(415, "Unsupported Content-Encoding; use gzip or none")
    if query is not None and isinstance(form := form_of(query, headers, lenient=lenient), Answer):
        return form
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limits.body_bytes:
        return too_large(limits)
    return None


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Return whether the body is gzip."""
    return ENCODINGS.get(headers.get("content-encoding", "").strip().lower(), False)


def too_large(limits: Limits) -> Answer:
    """Return the 413 for a body over its limit, on the wire or inflated."""
    return refuse(413, f"Payload size limit exceeded: at most {limits.body_bytes} bytes a request")


def form_of(query: Query, headers: Mapping[str, str], *, lenient: bool) -> Form | Answer:
    """Return how the body is to be read, or the 415."""
    named = next((value for key, value in query if key.lower() == "content-type"), headers.get("content-type", ""))
    media, *parameters = (part.strip() for part in named.split(";"))
    if not media and lenient:
        return "json"
    form = MEDIA_TYPES.get(media.lower())
    if form is None or not all(_is_utf_8(parameter) for parameter in parameters):
        return refuse(415, UNSUPPORTED_TYPE)
    return form


def structure_of(query: Query, headers: Mapping[str, str], default: Structure) -> Structure | Answer:
    """Return the data model asked for (the query's word over the header's), or the 400."""
    for key, value in query:
        if key.lower() == "structure":
            return _structure(value, "QUERY")
    for option in headers.get("x-dynatrace-options", "").split("&"):
        key, _, value = option.strip().partition("=")
        if key.lower() == "structure":
            return _structure(unquote(value), "HEADER")
    return default


def query_attributes(query: Query) -> Pairs:
    """Return the attributes that the query adds to every event."""
    return _pairs((key, value) for key, value in query if key.lower() not in _RESERVED)


def header_attributes(headers: Mapping[str, str]) -> Pairs:
    """Return the attributes that ``X-Dynatrace-Attr`` adds to every event."""
    options = (option.strip().partition("=") for option in headers.get("x-dynatrace-attr", "").split("&"))
    pairs = ((unquote(key), unquote(value)) for key, _, value in options)
    return _pairs((key, value) for key, value in pairs if key.lower() not in _RESERVED)


def _is_utf_8(parameter: str) -> bool:
    key, _, value = parameter.partition("=")
    return key.strip().lower() != "charset" or value.strip().strip('"').lower() in _UTF_8


def _structure(value: str, where: Literal["HEADER", "QUERY"]) -> Structure | Answer:
    if value == "raw":
        return "raw"
    if value == "flattened":
        return "flattened"
    violation = Violation("structure", "must be raw or flattened", where)
    return refuse(400, "Constraints violated.", violations=[violation])


def _pairs(found: Iterable[tuple[str, str]]) -> Pairs:
    values: dict[str, list[str]] = {}
    for key, value in found:
        if key:
            values.setdefault(_whole(key), []).append(_whole(value))
    return tuple((key, several[0] if len(several) == 1 else several) for key, several in values.items())


def _whole(text: str) -> str:
    """Return *text* without surrogates, which no JSON can hold: a server reads bytes over 127 of a header as such."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
