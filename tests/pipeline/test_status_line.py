"""The line in `systemctl status`: files, rate, lag, endpoint, and the worst reason before all that."""

from __future__ import annotations

import pytest

from shipper.pipeline.health import Colour, HealthView, Reason
from shipper.pipeline.status_line import Figures, StatusLine

GREEN = HealthView(Colour.GREEN)
RED = HealthView(Colour.RED, (Reason("file_stalled", "app.log grew and is not read", 0),))
BEFORE = Figures(10.0, 3, 1000, 0, "answering", GREEN)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(
            BEFORE._replace(at=12.0, records=6000, lag_bytes=2048),
            "3 files, 2,500 lines/s, lag 2.0 KiB, endpoint answering",
            id="busy",
        ),
        pytest.param(BEFORE._replace(at=12.0, files=1), "1 file, 0 lines/s, lag 0 B, endpoint answering", id="idle"),
        pytest.param(BEFORE, "3 files, 0 lines/s, lag 0 B, endpoint answering", id="no_time_has_passed"),
        pytest.param(
            BEFORE._replace(at=12.0, endpoint="unreachable (refused)", health=RED),
            "RED: app.log grew and is not read (3 files, 0 lines/s, lag 0 B, endpoint unreachable (refused))",
            id="in_trouble",
        ),
    ],
)
def test_the_line_says_what_one_looks_for(now: Figures, expected: str) -> None:
    line = StatusLine()
    line.text(BEFORE)

    assert line.text(now) == expected
