"""Which files that are all new are one stream: none may wait for another that is written beside it."""

from __future__ import annotations

import pytest

from shipper.core.evidence import Seen
from shipper.pipeline.succession import lineage_for


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["worker-1.log", "worker-2.log"], [1, 2], id="workers_by_number"),
        pytest.param(["app-004755.log", "app-004756.log"], [1, 2], id="long_numbers"),
        pytest.param(["job-20481234.log", "job-20481235.log"], [1, 2], id="numbers_that_are_no_dates"),
        pytest.param(["access.8080", "access.8443"], [1, 2], id="ports"),
        pytest.param(["app.log.2", "app.log.1", "app.log"], [1, 1, 1], id="numbers_behind_an_extension"),
        pytest.param(["app.log.3.gz", "app.log.1"], [1, 1], id="compressed_ones_too"),
        pytest.param(["app-2026-11-25.log", "app-2026-11-26.log"], [1, 1], id="dates"),
        pytest.param(["app.log-20261125", "app.log"], [1, 1], id="a_date_behind_and_the_file_itself"),
        pytest.param(["a.log", "b.log", "a.log.1"], [1, 2, 1], id="two_programs"),
    ],
)
def test_new_files_are_one_stream_only_where_their_names_say_so(names: list[str], expected: list[int]) -> None:
    families: dict[str, int] = {}

    found = [
        lineage_for(Seen(f"/log/{name}", 1, at, 10, at, 0), None, families, at)
        for at, name in enumerate(names, start=1)
    ]

    assert found == expected
