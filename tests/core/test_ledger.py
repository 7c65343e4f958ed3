"""The account of a file: spans tile it, figures balance, nothing is lost by joining or thinning rows."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.ledger import (
    COARSE_MS,
    FINE_MS,
    HOLE,
    UNKNOWN,
    YOUNG_MS,
    Entry,
    compact,
    cut_at,
    digest_of,
    fingerprint_of,
    goes_on,
    is_balanced,
    joined,
    thinned,
    total,
    without_delivery,
)
from shipper.core.ledger_audit import Fault, audit, imbalance, recount_differs
from shipper.core.rule import RecordFormat, Rule

DAY_MS = 86_400_000


def span(start: int, end: int, seed: int = 0, **fields: object) -> Entry:
    """Return an entry over bytes that are all ``x``, with one record a byte."""
    plain = {"read": end - start, "acked": end - start, "batch": 1, "batch_last": 1, "status": 204, **fields}
    return Entry(start, end, seed, digest_of(b"x" * (end - start), seed), fingerprint="f", **plain)  # type: ignore[arg-type]


@st.composite
def ledgers(draw: st.DrawFn) -> list[Entry]:
    """Entries that tile a file, as a tailer would make them."""
    entries, at, seed, now = list[Entry](), 0, 0, 0
    for _ in range(draw(st.integers(1, 25))):
        size, now = draw(st.integers(1, 50)), now + draw(st.sampled_from([0, 50, 3000, FINE_MS]))
        if draw(st.integers(0, 9)) == 0:
            entries.append(without_delivery(at, at + size, HOLE, now))
            at += size
            continue
        filtered = draw(st.integers(0, size))
        entry = span(at, at + size, seed, read_ms=now, acked_ms=now, acked=size - filtered)
        if filtered:
            entry.rest = {draw(st.sampled_from(["filtered_drop", "dead_rejected", "refused_unnamed"])): filtered}
        entry.status = draw(st.sampled_from([204, 204, 204, 200, None]))
        entry.cuts = [entry.end] if draw(st.booleans()) else []
        entry.fingerprint = draw(st.sampled_from(["f", "f", "f", "g"]))
        entries.append(entry)
        at, seed = entry.end, entry.digest
    return entries


@given(ledgers())
def test_joining_keeps_every_byte_every_figure_and_the_digests(entries: list[Entry]) -> None:
    fewer = compact(entries)

    assert len(fewer) <= len(entries)
    assert total(fewer) == total(entries)
    assert audit(fewer, entries[-1].end) == []
    assert [cut for entry in fewer for cut in entry.cuts] == [cut for entry in entries for cut in entry.cuts]
    assert digests_hold(fewer)


@given(ledgers(), st.integers(0, 10 * DAY_MS))
def test_thinning_keeps_every_byte_and_every_figure_whatever_the_age(entries: list[Entry], age_ms: int) -> None:
    now = entries[-1].acked_ms + age_ms

    fewer = thinned(entries, now, 7 * DAY_MS)

    assert total(fewer) == total(entries)
    assert audit(fewer, entries[-1].end) == []
    assert digests_hold(fewer)
    assert thinned(fewer, now, 7 * DAY_MS) == fewer


def test_what_is_older_than_the_retention_is_one_row_a_file() -> None:
    entries = [span(at, at + 1, status=status) for at, status in enumerate([204, 200, 204])]

    (row,) = thinned(chained(entries), 8 * DAY_MS, 7 * DAY_MS)

    assert (row.start, row.end, row.read, row.status) == (0, 3, 3, None)
    assert row.digest == zlib.crc32(b"xxx")


def test_a_missing_row_is_still_missing_when_what_stands_round_it_is_old() -> None:
    first, _, third = chained([span(0, 10), span(10, 20), span(20, 30)])

    rows = thinned([first, third], 8 * DAY_MS, 7 * DAY_MS)

    assert [wrong.fault for wrong in audit(rows, 30)] == [Fault.ROW_MISSING]


def test_rows_of_an_hour_ago_are_joined_to_ten_minutes_each_and_younger_ones_stay() -> None:
    step = COARSE_MS // 4
    entries = chained([span(at, at + 1, read_ms=at * step, acked_ms=at * step) for at in range(40)])
    now = 40 * step

    rows = thinned(entries, now, 7 * DAY_MS)

    young = [row for row in rows if row.acked_ms >= now - FINE_MS]
    assert len(young) == FINE_MS // step
    assert [row.end - row.start for row in rows[: -len(young)]] == [4] * 4


@pytest.mark.parametrize(
    ("change", "is_joined"),
    [
        pytest.param({}, True, id="same_outcome"),
        pytest.param({"status": None, "batch": 0, "batch_last": 0}, True, id="nothing_was_sent"),
        pytest.param({"status": 200}, False, id="another_answer"),
        pytest.param({"layout": "other"}, False, id="another_layout"),
        pytest.param({"start": 11}, False, id="a_gap"),
        pytest.param({"seed": 7}, False, id="bytes_in_between_were_not_seen"),
        pytest.param({"dropped": "lost"}, False, id="never_delivered"),
    ],
)
def test_only_what_follows_with_the_same_outcome_is_joined(change: dict[str, object], is_joined: bool) -> None:
    first, second = chained([span(0, 10), span(10, 20)])
    for name, value in change.items():
        setattr(second, name, value)

    assert (joined(first, second) is not None) is is_joined


@pytest.mark.parametrize(("age_ms", "grows"), [(YOUNG_MS - 1, True), (YOUNG_MS, False)])
def test_a_saved_row_grows_while_it_is_young(age_ms: int, grows: bool) -> None:
    first, second = chained([span(0, 10, read_ms=5), span(10, 20, read_ms=5, acked_ms=5 + age_ms)])

    assert (goes_on(first, second) is not None) is grows


@pytest.mark.parametrize(
    ("entries", "offset", "expected"),
    [
        pytest.param([span(0, 10), span(10, 20)], 20, [], id="tiled"),
        pytest.param([], 0, [], id="nothing_read"),
        pytest.param([span(0, 10), span(15, 20)], 20, [(Fault.ROW_MISSING, 10, 15)], id="hole"),
        pytest.param([span(5, 20)], 20, [(Fault.ROW_MISSING, 0, 5)], id="first_row_missing"),
        pytest.param([span(0, 10)], 20, [(Fault.OFFSET_BEYOND, 10, 20)], id="last_row_missing"),
        pytest.param([span(0, 30)], 20, [(Fault.SPANS_BEYOND, 20, 30)], id="older_offset"),
        pytest.param([span(0, 10), span(8, 20)], 20, [(Fault.ROWS_OVERLAP, 8, 10)], id="overlap"),
        pytest.param([span(0, 10, acked=9), span(10, 20)], 20, [(Fault.NO_ACK, 0, 10)], id="ack_dropped"),
        pytest.param([span(0, 10, batch=0)], 10, [(Fault.NO_ACK, 0, 10)], id="no_batch"),
        pytest.param([span(0, 10, acked=8, rest={"dead_rejected": 2})], 10, [], id="dead_letters_are_a_fate"),
    ],
)
def test_the_audit_names_the_span_that_is_wrong(
    entries: list[Entry], offset: int, expected: list[tuple[Fault, int, int]]
) -> None:
    assert [(wrong.fault, wrong.start, wrong.end) for wrong in audit(entries, offset)] == expected


@pytest.mark.parametrize(
    ("counted", "differs"),
    [
        ({"read": 10, "filtered_drop": 2}, False),
        ({"read": 11, "filtered_drop": 2}, True),
        ({"read": 10, "filtered_drop": 3}, True),
        ({"read": 10, "filtered_drop": 2, "filtered_too_old": 1}, False),
    ],
)
def test_a_recount_that_differs_is_said_but_for_what_time_decides(counted: dict[str, int], differs: bool) -> None:
    entry = span(0, 10, acked=8, rest={"filtered_drop": 2})

    assert (recount_differs(entry, counted) is not None) is differs


@given(ledgers(), st.integers(0, 600))
def test_after_a_rewind_the_rows_end_at_the_new_offset(entries: list[Entry], offset: int) -> None:
    offset = min(offset, entries[-1].end)

    kept = cut_at(entries, offset)

    assert [wrong for wrong in audit(kept, offset) if wrong.fault is not Fault.NO_ACK] == []
    assert all(imbalance(entry) is None for entry in kept)


def test_a_rule_that_reads_other_records_has_another_fingerprint() -> None:
    rule = Rule("a", "raw", RecordFormat.RAW)
    others = [
        Rule("a", "raw", RecordFormat.RAW, drop=("x",)),
        Rule("a", "raw", RecordFormat.RAW, keep=("x",)),
        Rule("a", "raw", RecordFormat.PATTERN, patterns=("x",)),
        Rule("a", "raw", RecordFormat.RAW, encoding="latin-1"),
    ]

    prints = {fingerprint_of(each) for each in (rule, *others)}

    assert len(prints) == len(others) + 1
    assert fingerprint_of(Rule("b", "raw", RecordFormat.RAW, attributes={"k": "v"})) == fingerprint_of(rule)


@pytest.mark.parametrize(
    ("figures", "balanced"),
    [
        ({"read": 10, "acked": 7, "filtered_drop": 1, "dead_rejected": 1, "refused_unnamed": 1, "parts": 5}, True),
        ({"read": 10, "acked": 9}, False),
    ],
)
def test_figures_balance_when_every_record_has_a_fate(figures: dict[str, int], balanced: bool) -> None:
    assert is_balanced(figures) is balanced


def chained(entries: Sequence[Entry]) -> list[Entry]:
    """Give each entry the digest of the one before as its seed."""
    seed = 0
    for entry in entries:
        entry.seed, entry.digest = seed, digest_of(b"x" * (entry.end - entry.start), seed)
        seed = entry.digest
    return list(entries)


def digests_hold(entries: Sequence[Entry]) -> bool:
    return all(
        entry.digest == digest_of(b"x" * (entry.end - entry.start), entry.seed)
        for entry in entries
        if entry.digest != UNKNOWN and not entry.dropped
    )
