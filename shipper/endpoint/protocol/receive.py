"""One ingest request to its answer and what is to be kept of it.

Source: the reference page, sections 2, 3 and 6. An event is decoded once, to
be sure that it can be read for good; of a request that is accepted whole the
bytes are kept as they came.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shipper.endpoint.model import Accepted, Context
from shipper.endpoint.protocol import answers
from shipper.endpoint.protocol.aliases import TIMESTAMP_LOWER
from shipper.endpoint.protocol.answers import Answer, refuse
from shipper.endpoint.protocol.bodies import Batch, Unreadable, read_body
from shipper.endpoint.protocol.common import settle
from shipper.endpoint.protocol.flatten import depth, is_too_nested
from shipper.endpoint.protocol.limits import Limits
from shipper.endpoint.protocol.mapping import event_instant
from shipper.endpoint.protocol.request import (
    Form,
    Request,
    Structure,
    check_head,
    form_of,
    header_attributes,
    query_attributes,
    structure_of,
    too_large,
)

# Deeper JSON would exhaust the stack of those who read it after us.
DEEPEST_JSON: Final = 100
_FORMATS: Final[dict[Form, str]] = {"json": "dtapi/json", "lines": "dtapi/jsonl", "text": "dtapi/text"}

_REFUSED_BY_HEAD: Final = {413: {"payload_byte_size_limit": 1}, 415: {"unsupported_content_type": 1}}

Rejected = dict[str, int]
Outcome = tuple[Answer, Accepted | None, Rejected]


class _Sifted(NamedTuple):
    """Indexes of a batch's records by what becomes of them, and the range of those that are kept."""

    too_old: list[int]
    not_objects: list[int]
    nested: list[int]
    oldest_ms: int
    newest_ms: int


def receive(
    request: Request,
    limits: Limits,
    now_ms: int,
    *,
    profile: str = "",
    structure: Structure = "flattened",
    lenient: bool = False,
) -> Outcome:
    """Return the answer to *request*, what is to be stored before it is given, and why events were refused.

    Args:
        request: Its body inflated.
        limits: What is over them is refused here or trimmed by the reader.
        now_ms: The time of receipt.
        profile: Kept with the events; managed has only the flattened data model.
        structure: The data model unless the request names one.
        lenient: A request without a Content-Type is taken as JSON.
    """
    head = check_head(request.method, request.path, request.headers, limits, query=request.query, lenient=lenient)
    form = head or form_of(request.query, request.headers, lenient=lenient)
    if isinstance(form, Answer):
        return form, None, dict(_REFUSED_BY_HEAD.get(form.status, {}))
    model = structure_of(request.query, request.headers, structure)
    if isinstance(model, Answer):
        return model, None, {"invalid_parameter": 1}
    if len(request.body) > limits.body_bytes:
        return too_large(limits), None, {"payload_byte_size_limit": 1}
    context = Context(
        received_ms=now_ms,
        structure="flattened" if profile == "managed" else model,
        query=query_attributes(request.query),
        header=header_attributes(request.headers),
        profile=profile,
        format=_FORMATS[form],
    )
    batch = read_body(form, request.body)
    if isinstance(batch, Unreadable):
        return refuse(400, batch.message), None, {batch.reason: 1}
    return _judge(batch, context, limits)


def _judge(batch: Batch, context: Context, limits: Limits) -> Outcome:
    count = len(batch.events)
    if count > limits.events:
        return refuse(413, f"Too many events: at most {limits.events} a request"), None, {"event_count_limit": count}
    if len(batch.joined) + count * _added_bytes(context) > limits.processed_bytes:
        return refuse(413, answers.PROCESSED_TOO_LARGE), None, {"payload_byte_size_limit": count}
    sifted = _sift(batch, context, limits)
    rejected = _counts(timestamps_out_of_range=sifted.too_old, invalid_json_format=sifted.not_objects)
    refused = {*sifted.too_old, *sifted.not_objects}
    if len(refused) == count:
        return answers.none_kept(sifted.too_old, sifted.not_objects), None, rejected
    events = batch.joined
    if refused:
        events = b",".join(piece for index, piece in enumerate(batch.cut()) if index not in refused)
    accepted = Accepted(context, events, count - len(refused), sifted.oldest_ms, sifted.newest_ms)
    if refused or sifted.nested:
        return answers.partly_kept(sifted.too_old, sifted.not_objects, sifted.nested), accepted, rejected
    return answers.all_kept(), accepted, rejected


def _sift(batch: Batch, context: Context, limits: Limits) -> _Sifted:
    now_ms = context.received_ms
    taken_from = now_ms - limits.max_age_ms
    is_stamped_by_itself = not any(key.lower() in TIMESTAMP_LOWER for key, _ in (*context.query, *context.header))
    too_deep, nested = (set[int](), list[int]()) if batch.is_plain else _depths(batch.events, context, limits)
    too_old: list[int] = []
    not_objects: list[int] = []
    kept: list[int] = []
    for index, event in enumerate(batch.events):
        if type(event) is not dict or index in too_deep:
            not_objects.append(index)
            continue
        # `timestamp` is the first of all its aliases: who has it needs no look at the others.
        stamp = event.get("timestamp")
        if stamp is None or type(stamp) is dict or not is_stamped_by_itself:
            instant = event_instant(event, context, limits)
        else:
            instant, _ = settle(stamp, now_ms, limits)
        if instant < taken_from:
            too_old.append(index)
        else:
            kept.append(instant)
    if nested and too_old:
        nested = sorted({*nested}.difference(too_old))
    return _Sifted(too_old, not_objects, nested, min(kept, default=now_ms), max(kept, default=now_ms))


def _depths(events: list[object], context: Context, limits: Limits) -> tuple[set[int], list[int]]:
    """Return the indexes of what no reader could take, and of what the flattened model would not keep whole."""
    too_deep: set[int] = set()
    nested: list[int] = []
    for index, event in enumerate(events):
        if type(event) is not dict:
            continue
        for value in event.values():
            if type(value) is dict or type(value) is list:
                break
        else:
            continue
        if depth(event) > DEEPEST_JSON:
            too_deep.add(index)
        elif context.structure == "flattened" and is_too_nested(event, limits.nesting):
            nested.append(index)
    return too_deep, nested


def _added_bytes(context: Context) -> int:
    """Return about how many bytes the request's attributes add to each of its events."""
    return sum(
        len(key) + sum(map(len, value if isinstance(value, list | tuple) else [value])) + 6
        for key, value in (*context.query, *context.header)
    )


def _counts(**reasons: list[int]) -> Rejected:
    return {reason: len(indexes) for reason, indexes in reasons.items() if indexes}
