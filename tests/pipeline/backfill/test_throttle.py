"""The rate that was asked for is kept over time, and not exceeded in a burst."""

from __future__ import annotations

import asyncio

import pytest

from shipper.pipeline.backfill.throttle import BURST_SECONDS, Throttle


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


async def seconds_for(events: float, size: float, steps: int, step: tuple[int, int], idle: float = 0.0) -> float:
    """Return how long *steps* steps of (events, bytes) take at that rate, after *idle* seconds without any."""
    clock = Clock()
    throttle = Throttle(clock.monotonic, clock.sleep)
    throttle.limit(events, size)
    clock.now += idle
    began = clock.now
    for _ in range(steps):
        await throttle.passed(*step)
    return clock.now - began


@pytest.mark.parametrize(
    ("events", "size", "expected"),
    [
        pytest.param(1000.0, 0.0, 5.0, id="events"),
        pytest.param(0.0, 20_000.0, 2.5, id="bytes"),
        pytest.param(1000.0, 20_000.0, 5.0, id="the_stricter_of_both"),
        pytest.param(0.0, 0.0, 0.0, id="none"),
    ],
)
def test_so_much_takes_so_long(events: float, size: float, expected: float) -> None:
    assert asyncio.run(seconds_for(events, size, 100, (50, 500))) == pytest.approx(expected, abs=BURST_SECONDS)


def test_what_was_not_used_for_a_minute_does_not_come_at_once() -> None:
    assert asyncio.run(seconds_for(1000.0, 0.0, 100, (50, 500), idle=60.0)) >= 5.0 - BURST_SECONDS
