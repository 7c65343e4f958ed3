"""Stories that the model has found, told by hand: each was once a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.model.endpoint import Answer
from tests.model.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


def at_rest(world: World, seconds: float = 120.0) -> list[str]:
    """Return what has not arrived when everything is healed and time has passed."""
    world.endpoint.script.clear()
    world.endpoint.standing = Answer.TAKE
    if world.agent is None:
        world.start()
    world.advance(seconds)
    return world.truth.missing(world.endpoint.taken)


def copied_away_and_begun_anew_within_one_scan(world: World) -> None:
    world.write("a", 1, 20)
    world.advance(6.0)
    world.write_in_pieces("a", 20)
    world.advance(0.05)
    world.copy_truncate("a")
    world.recreate("a")


def all_of_an_empty_file_copied_away_within_one_scan(world: World) -> None:
    world.write("a", 1, 20)
    world.advance(6.0)
    world.copy_truncate("a")
    world.advance(6.0)
    world.write("a", 7, 10)
    world.copy_truncate("a")
    world.write("a", 1, 0)


def all_of_a_file_first_seen_empty_copied_away_within_one_scan(world: World) -> None:
    world.write("a", 7, 10)
    world.copy_truncate("a")
    world.copy_truncate("a")
    world.advance(6.0)
    world.write("a", 7, 10)
    world.copy_truncate("a")
    world.write("a", 1, 0)


def a_file_born_and_rotated_within_one_scan_and_none_under_the_name_any_more(world: World) -> None:
    for _ in range(2):
        world.write("a", 3, 20)
        world.advance(6.0)
        world.rotate("a")
    world.write("a", 5, 20)
    world.rotate("a")


def two_copies_within_one_scan(world: World) -> None:
    world.write("a", 3, 20)
    world.advance(6.0)
    for _ in range(2):
        world.write("a", 3, 20)
        world.copy_truncate("a")
    world.write("a", 1, 0)


def renamed_twice_within_one_scan(world: World) -> None:
    world.write("a", 3, 20)
    world.advance(6.0)
    for _ in range(2):
        world.write("a", 3, 20)
        world.rotate("a")
    world.write("a", 1, 0)


def renamed_and_compressed_while_the_agent_was_down(world: World) -> None:
    world.write("a", 3, 20)
    world.advance(6.0)
    world.crash()
    for _ in range(2):
        world.write("a", 3, 20)
        world.rotate("a")
    world.compress("a", 1, ".gz")
    world.compress("a", 2, ".zst")
    world.write("a", 1, 0)


def copied_away_before_the_older_ones_are_read(world: World) -> None:
    world.write("a", 3, 20)
    world.advance(6.0)
    world.endpoint.standing = Answer.HANGS
    world.write("a", 3, 20)
    for _ in range(3):
        world.copy_truncate("a")
        world.advance(6.0)
        world.write("a", 3, 20)


def all_of_an_empty_file_copied_away_and_written_on(world: World) -> None:
    world.write("a", 1, 20)
    world.advance(6.0)
    world.rotate("a")
    world.write("a", 0, 0)
    world.advance(6.0)
    world.write("a", 7, 10)
    world.copy_truncate("a")
    world.write("a", 5, 30)


def copied_away_and_rotated_while_the_agent_was_down(world: World) -> None:
    for count in (2, 3):  # there is more than one that the rotated ones may be
        world.write("a", count, 10)
        world.advance(30.0)
        world.copy_truncate("a")
        world.advance(30.0)
    world.write("a", 6, 10)
    world.advance(30.0)
    world.stop()
    world.copy_truncate("a")
    world.write("a", 3, 900)
    world.rotate("a")
    world.start()
    world.recreate("a")


@pytest.mark.parametrize(
    "story",
    [
        copied_away_and_begun_anew_within_one_scan,
        all_of_an_empty_file_copied_away_within_one_scan,
        all_of_a_file_first_seen_empty_copied_away_within_one_scan,
        a_file_born_and_rotated_within_one_scan_and_none_under_the_name_any_more,
        two_copies_within_one_scan,
        renamed_twice_within_one_scan,
        renamed_and_compressed_while_the_agent_was_down,
        copied_away_before_the_older_ones_are_read,
        all_of_an_empty_file_copied_away_and_written_on,
        copied_away_and_rotated_while_the_agent_was_down,
    ],
)
def test_everything_arrives_in_order(story: Callable[[World], None], world: World) -> None:
    story(world)

    assert at_rest(world) == []
    assert world.truth.out_of_order(world.endpoint.taken) == []
