"""The cache of a chunk's stamps gives what reading each of them gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.core.chunk_stamps import ChunkStamps, StampCache, ms_of
from shipper.core.timestamps import StampReader, utc_text

NEAR_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z

HEADS = st.sampled_from(
    ["2026-11-23T19:59:58", "2026-11-23T19:59:59", "2026-11-23 19:59:58", "2026-11-23T19:59:60", "2026-10-25 02:30:00",
     "2026-10-25 02:59:59", "2026-10-25 03:00:01", "2026-11-23T25:00:00", "Nov 23 19:59:58", "Nov  3 19:59:58",
     "Feb 29 19:59:58", "1795463998", "1795463999", "17954639980", "179546399", "23/Nov/2026:19:59:58", " 1795463998"]
)  # fmt: skip
TAILS = st.sampled_from(
    ["", "Z", ".1", ".12", ".123", ".1234567", ",123", ".123Z", ",5Z", ".5+01:00", "+01:00", " +0000", "250", "250000",
     "250000000", "999", "250.5", "5", ".1234567891", ".", ".x", ".123 ", ".²", "٣", ".123ZZ", " CEST", ":250"]
)  # fmt: skip
FORMATS = st.sampled_from(
    [(), ("rfc3339",), ("epoch",), ("epoch_s",), ("epoch_ms",), ("epoch_us", "epoch_ns"), ("%Y-%m-%d %H:%M:%S,%f",),
     ("%Y-%m-%d %H:%M:%S",), ("rfc3164", "epoch_ms", "rfc3339"), ("%d/%b/%Y:%H:%M:%S %z",), ("%s",), ("%s.%f",)]
)  # fmt: skip


@given(
    formats=FORMATS,
    zone=st.sampled_from(["", "Europe/Vienna"]),
    texts=st.lists(st.tuples(HEADS, TAILS).map("".join), max_size=25),
    borders=st.dictionaries(
        st.integers(0, 25), st.sampled_from([NEAR_MS, NEAR_MS + 60_000, NEAR_MS - 40 * 86_400_000])
    ),
)
@example(
    formats=(), zone="", borders={}, texts=["2026-11-23T19:59:58.1", "2026-11-23T19:59:58.1234567891",
    "2026-11-23T19:59:58,5"]
)  # fmt: skip
@example(formats=("epoch_ms",), zone="", borders={}, texts=["1795463998250", "1795463999999", "1795463998250"])
def test_the_cache_is_never_visible(
    formats: tuple[str, ...], zone: str, texts: list[str], borders: dict[int, int]
) -> None:
    """Any stamps, in any order, cut into chunks anywhere: as if each were read by a reader of its own."""
    reader, cache, near_ms = StampReader(formats, zone), StampCache(), NEAR_MS
    stamps = ChunkStamps(reader, cache, near_ms)
    last: str | None = None
    for index, text in enumerate(texts):
        if index in borders:
            near_ms = borders[index]
            stamps = ChunkStamps(reader, cache, near_ms)
        after = None if last is None else ms_of(last)
        alone = StampReader(formats, zone).read(text, near_ms=near_ms, after_ms=after)

        assert stamps.text(text, last) == (None if alone is None else utc_text(alone.ms)), text
        last = last if alone is None else utc_text(alone.ms)


@given(texts=st.lists(st.tuples(HEADS, TAILS).map("".join), max_size=20))
def test_oldest_and_newest_enclose_every_stamp_of_the_chunk(texts: list[str]) -> None:
    stamps = ChunkStamps(StampReader((), ""), StampCache(), NEAR_MS)

    read = [ms_of(utc) for text in texts if (utc := stamps.text(text, None)) is not None]

    assert stamps.oldest == (min(read) // 1000 * 1000 if read else None)
    assert stamps.newest == (max(read) // 1000 * 1000 + 999 if read else None)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1_795_463_998, "2026-11-23T19:59:58.000Z"),
        (1_795_463_998_250, "2026-11-23T19:59:58.250Z"),
        (-1, None),
        (1e300, None),
    ],
)
def test_a_number_is_an_epoch_by_its_size(number: float, expected: str | None) -> None:
    assert ChunkStamps(StampReader((), ""), StampCache(), NEAR_MS).text(number, None) == expected


def test_the_cache_is_bounded_whatever_is_written_before_and_behind_the_second() -> None:
    cache = StampCache()
    for minute in range(200):
        stamps = ChunkStamps(StampReader((), ""), cache, NEAR_MS)
        for second in range(60):
            for digits in range(10):
                stamps.text(f"2026-11-23T{minute // 60:02d}:{minute % 60:02d}:{second:02d}.{second}{digits:04d}Z", None)
        stamps.text(f"2026-11-23T19:59:58.123+{minute // 60:02d}:{minute % 60:02d}", None)

    spelled = cache.last
    assert len(cache.use(spelled.spelling).heads) <= 8193
    assert len(spelled.tails) <= 4096


@given(ms=st.integers(0, 253_402_300_799_999))
def test_a_text_in_utc_is_its_instant_again(ms: int) -> None:
    assert ms_of(utc_text(ms)) == ms
