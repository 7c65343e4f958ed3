"""Durations and sizes, both ways."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    duration_seconds,
    duration_text,
    size_bytes,
    size_text,
)

DURATIONS = {
    "0": 0.0, "0s": 0.0, "500ms": 0.5, "2s": 2.0, "1.5s": 1.5, "5m": 300.0, "24h": 86_400.0, "7d": 604_800.0,
    "1h30m": 5400.0, "1d2h3m4s5ms": 93_784.005,
}  # fmt: skip
SIZES = {
    "0": 0, "65536": 65_536, "65_536": 65_536, "1B": 1, "64KiB": 65_536, "64kib": 65_536, "64 KiB": 65_536,
    "1.5MiB": 1_572_864, "2GiB": 2 << 30, "1TiB": 1 << 40,
}  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "-1s", "1S", "1 s", "s", "1w", "1e3s", "٣s", "1s ", "1h-5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write one such as 500ms"):
        duration_seconds(text)


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_a_size_is_read(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "-1", "64KB", "64MB", "1K", "1.5", "0.3KiB", "1KiB2", "KiB", "٣", "_1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no size; write one such as 65536|is no whole number of bytes"):
        size_bytes(text)


@given(milliseconds=st.integers(0, 10**13))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    text = duration_text(milliseconds / 1000)

    assert duration_seconds(text) == milliseconds / 1000
    assert re.search(DURATION_PATTERN, text)


@given(size=st.integers(0, 1 << 60))
def test_a_size_survives_being_written(size: int) -> None:
    text = size_text(size)

    assert size_bytes(text) == size
    assert re.search(SIZE_PATTERN, text)


@given(text=st.text("0123456789.smhdKiMB_ ", max_size=8))
def test_the_schema_takes_at_least_what_is_read(text: str) -> None:
    """An editor must not mark what the agent would take."""
    assert accepted(duration_seconds, text) <= bool(re.search(DURATION_PATTERN, text))
    assert accepted(size_bytes, text) <= bool(re.search(SIZE_PATTERN, text))


def accepted(read: object, text: str) -> bool:
    try:
        return callable(read) and read(text) is not None
    except ValueError:
        return False
