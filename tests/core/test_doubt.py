"""A layout is chosen again while its file is young, and when the text stops fitting; not for ever."""

from __future__ import annotations

from shipper.core.doubt import FIRST_MISFITS, SURE_AFTER_LINES, Doubt


def test_a_choice_from_one_line_is_looked_at_as_the_file_grows() -> None:
    doubt = Doubt(1)

    looks = [number for number in range(1, 1000) if doubt.grows(1, 0)]

    assert looks == [3, 7, 15, 31, 63, 127]


def test_a_choice_from_enough_lines_stands_while_the_text_fits() -> None:
    doubt = Doubt(SURE_AFTER_LINES)

    assert not any(doubt.grows(100, 1) for _ in range(1000))


def test_text_that_stops_fitting_is_looked_at_at_growing_distances() -> None:
    doubt = Doubt(SURE_AFTER_LINES)

    looks = [number for number in range(1, 200) if doubt.grows(1, 1)]

    assert looks == [FIRST_MISFITS, 3 * FIRST_MISFITS, 7 * FIRST_MISFITS, 15 * FIRST_MISFITS]
