"""Whether the converter, which the agent runs, and the reference reader, which explains, made the same of a chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click
import msgspec

from shipper.pipeline.rehearsal import Rehearsed


def compared(rehearsed: Iterable[Rehearsed]) -> Iterator[Rehearsed]:
    """Give *rehearsed* on, and say on standard error where the two differ."""
    for done in rehearsed:
        if wrong := difference(done):
            begin, end = done.chunk.start, done.chunk.start + len(done.chunk.data)
            click.secho(f"BUG: bytes [{begin}, {end}) are sent otherwise than explained: {wrong}", fg="red", err=True)
        yield done


def difference(done: Rehearsed) -> str:
    """Return where the two differ, without any value; empty where they agree or a pattern ran out of time."""
    if done.encoded.pattern_timeouts or done.reading.pattern_timeouts:
        return ""
    sent = msgspec.json.decode(b"[" + bytes(done.encoded.json) + b"]", type=list[dict[str, object]])
    explained = msgspec.json.decode(
        msgspec.json.encode([event for _, event in done.reading.produced]), type=list[dict[str, object]]
    )
    if len(sent) != len(explained):
        return f"{len(sent)} events, not {len(explained)}"
    for number, (one, other) in enumerate(zip(sent, explained, strict=True), 1):
        if one != other:
            keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
            return f"event {number} in {', '.join(keys)}"
    return ""
