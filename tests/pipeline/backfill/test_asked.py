"""What of a chunk is of the time asked for: each record by its own time, whatever becomes of it for its age."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config import Config, rules
from shipper.core.chunk_stamps import ms_of
from shipper.core.converter import compile_rule
from shipper.core.model import Carry, Chunk, FileFacts, FileKey, Span
from shipper.core.ranges import size_of, without
from shipper.core.rule import TooOld
from shipper.pipeline.backfill.asked import OUTSIDE, Selection, Window
from shipper.pipeline.guard import MatchGuard
from tests.pipeline.backfill.scene import STAMPED

NOW_MS = ms_of("2026-11-03T00:00:00.000Z")
SINCE_MS, UNTIL_MS = ms_of("2026-11-01T00:10:00.000Z"), ms_of("2026-11-01T00:20:00.000Z")
RULE = rules(Config(path=Path("agent.yaml"), state_dir=Path(), zone="UTC"), STAMPED, {}, "host")
FACTS = FileFacts(FileKey(1, 0), "/l/app.log", "app.log", NOW_MS)


@pytest.fixture(scope="module")
def guard() -> Iterator[MatchGuard]:
    owned = MatchGuard()
    yield owned
    owned.close()


def chunk_of(minutes: list[int]) -> tuple[Chunk, list[bytes]]:
    """Return a chunk of a record for each of *minutes*, and its lines; a minute over 59 is a line without a time."""
    lines = [
        (b"2026-11-01T00:%02d:00.000Z INFO " % minute if minute < 60 else b"") + b"record %d\n" % number
        for number, minute in enumerate(minutes)
    ]
    text = b"".join(lines)
    return Chunk(1000, 1000 + len(text), text), lines


@settings(max_examples=40, deadline=None)
@given(
    minutes=st.lists(st.sampled_from([5, 9, 10, 11, 19, 20, 30, 99]), min_size=1, max_size=12),
    policy=st.sampled_from(TooOld),
)
def test_each_record_is_judged_by_its_own_time_or_the_one_it_inherits(
    guard: MatchGuard, minutes: list[int], policy: TooOld
) -> None:
    minutes = [5, *minutes]
    chunk, lines = chunk_of(minutes)
    converter = compile_rule(msgspec.structs.replace(RULE, too_old=policy))
    carried = minutes[0]
    inside = []
    for minute in minutes:
        carried = minute if minute < 60 else carried
        inside.append(10 <= carried < 20)

    asked = Selection(Window(SINCE_MS, UNTIL_MS, 0), guard).of(converter, chunk, FACTS, Carry(encoding="utf-8"), NOW_MS)

    wanted = sum(inside)
    encoded = asked.encoded
    assert encoded.filtered.get(OUTSIDE, 0) == len(lines) - wanted
    fates = {TooOld.RESTAMP: encoded.records, TooOld.DROP: encoded.filtered.get("too_old", 0)}
    assert fates.get(policy, len(encoded.refused)) == wanted
    assert encoded.records + sum(encoded.filtered.values()) + len(encoded.refused) == len(lines)
    kept = without([Span(chunk.start, chunk.end)], asked.outside)
    assert size_of(kept) == sum(len(line) for line, is_inside in zip(lines, inside, strict=True) if is_inside)
    if asked.events is not None:
        assert len(asked.events) == encoded.events


def test_a_chunk_after_the_time_asked_for_says_that_nothing_more_follows(guard: MatchGuard) -> None:
    selection = Selection(Window(SINCE_MS, UNTIL_MS, 60_000), guard)
    converter = compile_rule(RULE)

    asked = [
        selection.of(converter, chunk_of([minute])[0], FACTS, Carry(encoding="utf-8"), NOW_MS).past
        for minute in (5, 15, 20, 21, 30)
    ]

    assert asked == [False, False, False, True, True]


def test_without_bounds_everything_is_asked_for(guard: MatchGuard) -> None:
    chunk, lines = chunk_of([5, 99, 30])

    asked = Selection(Window(), guard).of(compile_rule(RULE), chunk, FACTS, Carry(encoding="utf-8"), NOW_MS)

    assert asked.encoded.records == len(lines)
    assert asked.outside == []
    assert not asked.past
