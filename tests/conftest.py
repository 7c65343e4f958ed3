"""Hypothesis draws the same examples in every run; HYPOTHESIS_PROFILE=hunt looks for new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW_TO_DRAW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, max_examples=150, suppress_health_check=_SLOW_TO_DRAW
)
settings.register_profile("hunt", database=None, deadline=None, max_examples=5000, suppress_health_check=_SLOW_TO_DRAW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
