"""Health is the worst of its reasons, each with the instant since when."""

from __future__ import annotations

import pytest

from shipper.pipeline.health import Colour, Health, HealthView, Reason


class Clock:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


def test_without_a_reason_health_is_green() -> None:
    assert Health(Clock()).view() == HealthView(Colour.GREEN, ())


def test_the_worst_reason_decides_the_colour_and_stands_first() -> None:
    clock = Clock()
    health = Health(clock)
    health.raise_("spill_filling", "80 % of the spill is used", colour=Colour.YELLOW)
    clock.now = 2000
    health.raise_("file_stalled", "grew, was not read", source="app", file="/var/log/app.log")

    assert health.view() == HealthView(
        Colour.RED,
        (
            Reason("file_stalled", "grew, was not read", 2000, Colour.RED, "app", "/var/log/app.log"),
            Reason("spill_filling", "80 % of the spill is used", 1000, Colour.YELLOW),
        ),
    )


def test_a_reason_that_is_said_anew_keeps_its_beginning() -> None:
    clock = Clock()
    health = Health(clock)
    health.raise_("state_not_saved", "disk full")
    clock.now = 5000
    health.raise_("state_not_saved", "disk full, 3 attempts")

    (reason,) = health.view().reasons
    assert (reason.since_ms, reason.text) == (1000, "disk full, 3 attempts")


def test_reasons_about_two_files_are_two_and_are_cleared_one_by_one() -> None:
    health = Health(Clock())
    for file in ("/a.log", "/b.log"):
        health.raise_("file_stalled", "grew", file=file)

    assert health.clear("file_stalled", file="/a.log")
    assert not health.clear("file_stalled", file="/a.log")
    assert [reason.file for reason in health.view().reasons] == ["/b.log"]
    health.clear_all("file_stalled")
    assert health.colour is Colour.GREEN


@pytest.mark.parametrize("colour", [Colour.YELLOW, Colour.RED])
def test_only_a_change_of_colour_is_said(colour: Colour) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    health = Health(Clock(), lambda event, **fields: said.append((event, fields)))
    health.raise_("a", "first", colour=colour, file="/a.log")
    health.raise_("a", "again", colour=colour, file="/a.log")
    health.raise_("b", "second", colour=colour)
    health.clear("a", file="/a.log")
    health.clear("b")

    assert [event for event, _ in said] == ["health", "health"]
    assert said[0][1]["colour"] == colour.value
    assert said[0][1]["file"] == "/a.log"
    assert said[1][1] == {"colour": "green", "over": "b"}
