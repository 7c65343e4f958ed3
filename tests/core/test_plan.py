"""The order of files, and the figures that a plan derives."""

from __future__ import annotations

import pytest

from shipper.core.plan import Plan, PlannedFile, infer_last_times, lineage_of, ordered, share_before
from shipper.core.rule import TooOld


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(
            ["app.log", "app.log.1", "app.log.10.gz", "app.log.2.gz"],
            ["app.log.10.gz", "app.log.2.gz", "app.log.1", "app.log"],
            id="numbers",
        ),
        pytest.param(
            ["b.log", "a.log", "b.log.1.gz", "a.log.1.xz"],
            ["a.log.1.xz", "a.log", "b.log.1.gz", "b.log"],
            id="lineages",
        ),
        pytest.param(
            ["app.log.3.gz", "app.log.4.bz2", "app.log.1"],
            ["app.log.4.bz2", "app.log.3.gz", "app.log.1"],
            id="no_live_file",
        ),
        pytest.param(
            ["app-2026-11-03.log.zst", "app-2026-11-01.log.gz", "app.log"],
            ["app-2026-11-01.log.gz", "app-2026-11-03.log.zst", "app.log"],
            id="dates_by_the_time_of_their_records",
        ),
    ],
)  # fmt: skip
def test_files_go_lineage_by_lineage_from_the_oldest_to_the_live_one(names: list[str], expected: list[str]) -> None:
    paths = [f"/var/log/{name}" for name in names]
    files = [
        PlannedFile(file=path, lineage=lineage_of(path, paths), first_ms=1 if "2026-11-03" in path else None)
        for path in paths
    ]

    assert [file.file.rpartition("/")[2] for file in ordered(files)] == expected


def test_among_siblings_the_time_of_the_first_record_comes_before_the_number() -> None:
    files = [
        PlannedFile(file="/l/a.log.1", lineage="/l/a.log", first_ms=5),
        PlannedFile(file="/l/a.log.2", lineage="/l/a.log", first_ms=9),
    ]

    assert [file.first_ms for file in ordered(files)] == [5, 9]


def test_a_file_whose_end_was_not_seen_ends_where_its_sibling_begins() -> None:
    files = [
        PlannedFile(file="/l/a.log.2.gz", lineage="/l/a.log", first_ms=10, mtime_ms=90),
        PlannedFile(file="/l/a.log.1.gz", lineage="/l/a.log", first_ms=50, mtime_ms=95),
        PlannedFile(file="/l/b.log.1.gz", lineage="/l/b.log", first_ms=70, mtime_ms=60),
    ]

    infer_last_times(files)

    assert [(file.last_ms, file.last_exact) for file in files] == [(50, False), (95, False), (70, False)]


@pytest.mark.parametrize(
    ("instant", "first", "last", "share"),
    [(50, 0, 100, 0.5), (0, 0, 100, 0), (101, 0, 100, 1), (50, None, None, 0), (50, 10, None, 1), (5, 9, 20, 0)],
)  # fmt: skip
def test_share_of_older_records(instant: int, first: int | None, last: int | None, share: float) -> None:
    assert share_before(instant, first, last) == share


@pytest.mark.parametrize(
    ("policy", "words"),
    [(TooOld.RESTAMP, "time of sending"), (TooOld.DROP, "left out and counted"), (TooOld.DEAD_LETTER, "dead letters")],
)
def test_the_plan_adds_up_and_says_what_becomes_of_what_is_too_old(policy: TooOld, words: str) -> None:
    files = [
        PlannedFile(file="a", events=900, json_bytes=2500, too_old=900),
        PlannedFile(file="b", events=100, too_old=1),
    ]

    plan = Plan(
        files=files, now_ms=0, max_age_ms=86_340_000, too_old_policy=policy, target_request_bytes=1000,
        max_request_events=100, events_per_second=50.0, rate_from="a test",
    )  # fmt: skip

    assert (plan.events, plan.too_old, plan.requests, plan.seconds) == (1000, 901, 10, 20.0)
    assert words in plan.fate_of_too_old
    assert "24 h" in plan.fate_of_too_old
