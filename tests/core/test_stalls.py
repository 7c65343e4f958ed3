"""A file that grew and is not read is told from one that waits, and each remedy is tried once, in order."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.stalls import STEPS, Excuse, Look, Situation, Stage, Standing, Step, judge

PATIENCE = 10.0


def test_every_cell_is_decided() -> None:
    assert set(STEPS) == set(product(Stage, Situation))


def steps_of(look: Look, seconds: int) -> list[tuple[int, Step]]:
    """Return what is done about a file that looks the same every second, and when."""
    standing: Standing | None = None
    done: list[tuple[int, Step]] = []
    for second in range(seconds):
        standing, step = judge(look, standing, float(second), PATIENCE)
        if step is not Step.NOTHING:
            done.append((second, step))
    return done


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        pytest.param(Look(100, 100), [], id="read_to_its_end"),
        pytest.param(Look(None, 100), [], id="not_to_be_seen"),
        pytest.param(Look(50, 100), [], id="shorter_than_what_was_read"),
        pytest.param(
            Look(100, 50),
            [(10, Step.SCAN), (20, Step.REOPEN), (30, Step.WATCHER), (40, Step.LEAVE), (41, Step.LEAVE)],
            id="stands_still",
        ),
        pytest.param(
            Look(100, 50, hangs=True),
            [(10, Step.READ), *((second, Step.LEAVE) for second in range(20, 42))],
            id="a_read_hangs",
        ),
        *(pytest.param(Look(100, 50, excuse, hangs=True), [], id=excuse.name.lower()) for excuse in Excuse),
    ],
)
def test_the_remedies_come_one_after_the_other(look: Look, expected: list[tuple[int, Step]]) -> None:
    assert steps_of(look, 42) == expected


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.FINE])
@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look(100, 60), id="more_is_read"),
        pytest.param(Look(50, 50), id="it_was_truncated"),
        pytest.param(Look(100, 50, Excuse.BUDGET), id="it_waits_by_design"),
    ],
)
def test_a_stall_is_over_when_it_moves_or_has_an_excuse(stage: Stage, look: Look) -> None:
    assert judge(look, Standing(50, 0.0, 0.0, stage), 1.0, PATIENCE) == (None, Step.HEALED)


def test_the_beginning_is_remembered_over_the_remedies() -> None:
    standing: Standing | None = None
    for second in range(3, 36):
        standing, _ = judge(Look(100, 50), standing, float(second), PATIENCE)

    assert standing is not None
    assert standing.first_since == 3.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([None, *Excuse]), st.booleans())))
def test_nothing_is_done_before_the_patience_is_over_and_no_remedy_comes_twice_in_a_row(
    looks: list[tuple[int, int, Excuse | None, bool]],
) -> None:
    standing: Standing | None = None
    last, since = Step.HEALED, 0
    for second, look in enumerate(Look(*fields) for fields in looks):
        before = standing
        standing, step = judge(look, standing, float(second), PATIENCE)
        since = second if before is None else since
        if step in (Step.SCAN, Step.READ, Step.REOPEN, Step.WATCHER):
            assert second - since >= PATIENCE
            assert step is not last
            since = second
        last = step if step is not Step.NOTHING else last
