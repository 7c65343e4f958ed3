"""For any events, filters and cuts into requests and pages, the store answers as a walk over all of them would."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.endpoint.model import Accepted, Context, Filter, StoredRecord
from tests.endpoint.store.made import STATUS, Event, Model, accepted, indexed, opened

# Few instants, so that many are equal; letters whose case or JSON form is special.
INSTANTS = st.integers(0, 40)
WORDS = st.sampled_from(
    [
        "a",
        "ab",
        "abc",
        "Timeout",
        "timeouts",
        "ÄRGER",
        "ärger",
        "Straße",
        "KK",
        'say"so',
        "C:\\new",
        "user17",
        "user171",
        "17",
        "İx",
        "тест",
        "ТЕСТ",
    ]
)
CONTENTS = st.one_of(
    st.lists(WORDS, max_size=4).map(" ".join), st.lists(WORDS, max_size=3).map("\n\t".join), st.integers(0, 20)
)
VALUES = st.one_of(st.sampled_from(["on", "On", "17", "ä", 'q"q', ""]), st.integers(16, 18), st.booleans(), st.none(),
                st.lists(st.sampled_from(["on", 17, True]), max_size=2))  # fmt: skip
KEYS = st.sampled_from(["host", "thread", "n"])
SOURCES = st.sampled_from(["shop", "cart"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    event: Event = {
        "timestamp": draw(INSTANTS),
        "content": draw(CONTENTS),
        **draw(st.dictionaries(KEYS, VALUES, max_size=2)),
    }
    if draw(st.booleans()):
        event["severity"] = draw(st.sampled_from([level.lower() for level in STATUS]))
    if draw(st.booleans()):
        event["log.source"] = draw(SOURCES)
    return event


CONTEXTS = st.builds(
    Context, received_ms=st.just(7), query=st.sampled_from([(), (("team", "blue"),), (("thread", "on"),)])
)


@dataclass(frozen=True)
class Request:
    events: list[Event]
    context: Context
    ascii_only: bool
    glue: str

    def accepted(self) -> Accepted:
        return accepted(self.events, self.context, ascii_only=self.ascii_only, glue=self.glue)


REQUESTS = st.builds(
    Request, st.lists(events(), min_size=1, max_size=6), CONTEXTS, st.booleans(), st.sampled_from([",", ",", " ,\n "])
)
FILTERS = st.builds(
    Filter,
    since_ms=st.one_of(st.none(), INSTANTS),
    until_ms=st.one_of(st.none(), INSTANTS),
    levels=st.frozensets(st.sampled_from([*STATUS]), max_size=2),
    source=st.one_of(st.none(), st.none(), SOURCES),
    text=st.one_of(st.just(""), WORDS, st.text("aAbcä17 \n", max_size=4), st.lists(WORDS, max_size=2).map(" ".join)),
    attributes=st.lists(
        st.tuples(st.one_of(KEYS, st.just("team")), st.sampled_from(["on", "17", "true", "blue", "null"])), max_size=2
    ).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(
    before=st.lists(REQUESTS, min_size=1, max_size=8),
    between=st.lists(REQUESTS, max_size=3),
    wanted=FILTERS,
    limit=st.integers(1, 7),
    order=st.sampled_from(["newest", "oldest"]),
    block_bytes=st.sampled_from([1, 400, 2_000]),
    restart=st.booleans(),
)
def test_pages_joined_are_the_whole_answer_in_order(
    before: list[Request],
    between: list[Request],
    wanted: Filter,
    limit: int,
    order: str,
    block_bytes: int,
    restart: bool,
) -> None:
    """What comes between two pages moves nothing: it is in the answer where its place is not yet behind the reader."""

    async def run(directory: Path) -> None:
        model = Model()
        pages = list[list[StoredRecord]]()
        cursor: str | None = None
        later = iter(between)
        requests = before
        while not pages or cursor is not None:
            async with opened(directory, block_bytes=block_bytes) as store:
                while True:
                    for request in requests:
                        await store.append(request.accepted())
                        model.append(request.events, request.context)
                    requests = list(itertools.islice(later, 1))
                    page = await store.query(wanted, limit=limit, cursor=cursor, order=order)  # type: ignore[arg-type] # drawn
                    due = [stored for stored in model.ordered(wanted, order) if behind(stored, pages, order)]
                    assert page.events == due[:limit]
                    assert (page.next is None) == (len(due) <= limit)
                    pages.append(page.events)
                    cursor = page.next
                    if restart or cursor is None:
                        break

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name)))


def behind(stored: StoredRecord, pages: list[list[StoredRecord]], order: str) -> bool:
    given_out = [one for page in pages for one in page]
    if not given_out:
        return True
    place, last = (stored.record.timestamp_ms, stored.id), (given_out[-1].record.timestamp_ms, given_out[-1].id)
    return place < last if order == "newest" else place > last


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=8),
    wanted=FILTERS,
    since_ms=INSTANTS,
    span_ms=st.integers(1, 50),
    buckets=st.integers(1, 9),
    block_bytes=st.sampled_from([1, 400, 2_000]),
)
def test_counts_are_those_of_a_walk_over_all_events(
    requests: list[Request], wanted: Filter, since_ms: int, span_ms: int, buckets: int, block_bytes: int
) -> None:
    async def run(directory: Path) -> None:
        model = Model()
        async with opened(directory, block_bytes=block_bytes) as store:
            for request in requests:
                await store.append(request.accepted())
                model.append(request.events, request.context)
            await indexed(store)
            bars = await store.histogram(wanted, since_ms=since_ms, until_ms=since_ms + span_ms, buckets=buckets)
            sources = await store.sources()

        assert [bars[0].start_ms, bars[-1].end_ms, len(bars)] == [since_ms, since_ms + span_ms, min(buckets, span_ms)]
        assert [bar.end_ms for bar in bars[:-1]] == [bar.start_ms for bar in bars[1:]]
        found = [record for _, record in model.matching(wanted)]
        for bar in bars:
            within = [record.status for record in found if bar.start_ms <= record.timestamp_ms < bar.end_ms]
            assert bar.counts == Counter(within)
        named = Counter(record.attributes.get("log.source") for _, record in model.records)
        assert {row["source"]: row["events"] for row in sources} == named

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name)))
