"""Stores and events to test with: a small mapping of its own, and the answers written down naively."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shipper.endpoint.model import Accepted, AttributeValue, Context, Filter, LogRecord, StoredRecord
from shipper.endpoint.store import Store
from tests.patience import PATIENCE_SECONDS

Event = dict[str, object]

CONTEXT = Context(received_ms=7)
STATUS = {"ERROR": "ERROR", "EMERGENCY": "ERROR", "WARN": "WARN", "INFO": "INFO", "DEBUG": "INFO", "NONE": "NONE"}


def mapper(event: dict[str, object], context: Context) -> LogRecord:
    """Map as the protocol does in the ways that matter here: the request adds attributes, a content may be a number."""
    loglevel = str(event.get("severity", "none")).upper()
    stamp = event.get("timestamp", context.received_ms)
    assert isinstance(stamp, int)
    content = event.get("content", "")
    attributes: dict[str, AttributeValue] = {}
    for key, value in [*event.items(), *((key, value) for key, value in context.query)]:
        if key not in ("content", "timestamp", "severity"):
            assert value is None or isinstance(value, (str, int, float, bool, list))
            attributes[key] = value
    text = content if isinstance(content, str) else json.dumps(content)
    return LogRecord(stamp, loglevel, STATUS[loglevel], text, attributes)


def accepted(
    events: Iterable[Event], context: Context = CONTEXT, *, ascii_only: bool = False, glue: str = ","
) -> Accepted:
    """Return a request that brought *events*."""
    kept = list(events)
    stamps = [mapper(event, context).timestamp_ms for event in kept]
    raw = glue.join(json.dumps(event, ensure_ascii=ascii_only) for event in kept).encode()
    return Accepted(context, raw, len(kept), min(stamps), max(stamps))


def numbered(start: int, count: int = 1, **more: object) -> Accepted:
    """Return a request with events that say their number and have it as instant."""
    return accepted(
        {"content": f"event {number}", "timestamp": number, **more} for number in range(start, start + count)
    )


@asynccontextmanager
async def opened(directory: Path, **settings: object) -> AsyncIterator[Store]:
    """Open a store and close it at the end."""
    clock: Callable[[], int] = lambda: 1_000  # noqa: E731 -- a clock that stands
    store = Store.open(directory, **{"mapper": mapper, "now_ms": clock, **settings})  # type: ignore[arg-type] # by name
    try:
        yield store
    finally:
        await store.close()


async def contents(store: Store, wanted: Filter = Filter(), *, limit: int = 1000) -> list[str]:  # noqa: B008 -- frozen
    """Return the contents of what the filter takes, oldest first."""
    page = await store.query(wanted, limit=limit, order="oldest")
    return [stored.record.content for stored in page.events]


async def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for *condition*."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def indexed(store: Store) -> None:
    """Wait until the index has caught up."""
    await until(lambda: store.stats()["index_lag_blocks"] == 0)


def segments(directory: Path) -> list[Path]:
    """Return the files that hold events, oldest first."""
    return sorted(directory.glob("*.events"))


@dataclass
class Model:
    """What a store should know: every event in order of arrival, and its answers by walking all of them."""

    records: list[tuple[int, LogRecord]] = field(default_factory=list)

    def append(self, events: Iterable[Event], context: Context) -> None:
        for event in events:
            self.records.append((len(self.records) + 1, mapper(event, context)))

    def matching(self, wanted: Filter) -> list[tuple[int, LogRecord]]:
        return [(number, record) for number, record in self.records if takes(wanted, record)]

    def ordered(self, wanted: Filter, order: str) -> list[StoredRecord]:
        ranked = sorted(
            self.matching(wanted), key=lambda item: (item[1].timestamp_ms, item[0]), reverse=order == "newest"
        )
        return [StoredRecord(f"{number:016d}", record) for number, record in ranked]


def takes(wanted: Filter, record: LogRecord) -> bool:
    """Decide as the words of `Filter` say."""
    if wanted.since_ms is not None and record.timestamp_ms < wanted.since_ms:
        return False
    if wanted.until_ms is not None and record.timestamp_ms >= wanted.until_ms:
        return False
    if wanted.levels and not wanted.levels & {record.loglevel, record.status}:
        return False
    if wanted.source is not None and record.attributes.get("log.source") != wanted.source:
        return False
    if any(word not in record.content.lower() for word in wanted.text.lower().split()):
        return False
    return all(key in record.attributes and named(record.attributes[key], text) for key, text in wanted.attributes)


def named(value: AttributeValue, text: str) -> bool:
    """Whether *text* names the value or an item of it."""
    items = value if isinstance(value, list) else [value]
    return any(text == (item if isinstance(item, str) else json.dumps(item)) for item in items)
