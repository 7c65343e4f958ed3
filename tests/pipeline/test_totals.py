"""The figures of a run: every record that was read is accounted for."""

from __future__ import annotations

from collections import Counter

import pytest

from shipper.pipeline.totals import Totals, add, table, total

COUNTS = {
    "bytes_read": 123_456, "read": 100, "acked": 80, "filtered_drop": 5, "filtered_too_old": 3, "dead_rejected": 4,
    "dead_mask_failed": 1, "refused_unnamed": 2, "pending": 5, "parts": 7, "restamped": 9, "filtered_keep": 0,
}  # fmt: skip


def test_counts_are_grouped_by_fate_and_balance() -> None:
    totals = total(COUNTS, files=3)

    assert totals.filtered == {"drop": 5, "too_old": 3}
    assert totals.dead_lettered == {"mask_failed": 1, "rejected": 4}
    assert (totals.files, totals.read, totals.acked, totals.parts) == (3, 100, 80, 7)
    assert totals.balanced


@pytest.mark.parametrize("name", ["read", "acked", "filtered_drop", "dead_rejected", "refused_unnamed", "pending"])
def test_a_record_that_is_missing_anywhere_unbalances_them(name: str) -> None:
    assert not total({**COUNTS, name: COUNTS[name] + 1}, 1).balanced


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        (Totals(read=2, acked=1, filtered={"drop": 1}), True),
        (Totals(read=1, pending=1), False),
        (Totals(read=1, dead_lettered={"rejected": 1}), False),
        (Totals(read=1, refused_unnamed=1), False),
        (Totals(lost_bytes=1), False),
    ],
)
def test_delivered_is_when_nothing_is_missing_but_what_was_left_out_on_purpose(totals: Totals, expected: bool) -> None:
    assert totals.delivered is expected


def test_the_table_names_every_fate_and_only_the_asides_that_happened() -> None:
    rows = dict(table(total(COUNTS, 3)))

    assert rows["records read"] == "100"
    assert rows["+ filtered (too_old)"] == "3"
    assert rows["+ dead letters (rejected)"] == "4"
    assert rows["+ refused, not named by the endpoint"] == "2"
    assert rows["bytes read"] == "123,456"
    assert any("stamped anew" in label for label in rows)
    assert not any("NUL" in label for label in rows)


def test_counts_add_up() -> None:
    into = Counter({"read": 1})
    add(into, {"read": 2, "acked": 1})

    assert into == {"read": 3, "acked": 1}
