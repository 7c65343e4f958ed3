"""What holds for every test.

Hypothesis draws the same examples in every run; HYPOTHESIS_PROFILE=hunt looks for new ones. No test leaves anything
running.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.left_behind import end, left_since, running

_SLOW_TO_DRAW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, max_examples=150, suppress_health_check=_SLOW_TO_DRAW
)
settings.register_profile("hunt", database=None, deadline=None, max_examples=5000, suppress_health_check=_SLOW_TO_DRAW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _leaves_nothing_running() -> Iterator[None]:
    """What a test opened it has closed, also when it failed: else it fails another one."""
    before = running()
    yield
    if left := left_since(before):
        said = str(left)
        end(left)
        pytest.fail(f"the test has left running: {said}")
