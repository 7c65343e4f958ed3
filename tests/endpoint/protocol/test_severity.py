"""The level words of section 4.2."""

import pytest

from shipper.endpoint.protocol import LEVELS, level_of, status_of
from tests.endpoint.protocol.asking import record_of

PREFIXES = [
    ("emerg", "EMERGENCY"), ("Emergency", "EMERGENCY"), ("f", "EMERGENCY"), ("FATAL", "EMERGENCY"),
    ("fine", "EMERGENCY"), ("e", "ERROR"), ("err", "ERROR"), ("Error", "ERROR"), ("emer", "ERROR"),
    ("a", "ALERT"), ("audit", "ALERT"), ("c", "CRITICAL"), ("CONFIG", "CRITICAL"),
    ("s", "SEVERE"), ("serious", "SEVERE"), ("success", "SEVERE"), ("w", "WARN"), ("WARNING", "WARN"),
    ("n", "NOTICE"), ("notice", "NOTICE"), ("normal", "NOTICE"), ("i", "INFO"), ("Information", "INFO"),
    ("d", "DEBUG"), ("debug", "DEBUG"), ("default", "DEBUG"), ("trace", "DEBUG"), ("TRACE2", "DEBUG"),
    ("verbose", "DEBUG"), ("none", "NONE"), ("NONE", "NONE"), ("nonesuch", "NOTICE"),
    ("panic", "NONE"), ("ok", "NONE"), ("trc", "NONE"), ("v", "NONE"), ("", "NONE"), (3, "NONE"), (30, "NONE"),
    ("3", "NONE"), (None, "NONE"), (True, "NONE"), (["error"], "NONE"), ({"a": "error"}, "NONE"),
]  # fmt: skip

STATUSES = [
    ("SEVERE", "ERROR"), ("ERROR", "ERROR"), ("CRITICAL", "ERROR"), ("ALERT", "ERROR"), ("EMERGENCY", "ERROR"),
    ("WARN", "WARN"), ("INFO", "INFO"), ("DEBUG", "INFO"), ("NOTICE", "INFO"), ("NONE", "NONE"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "level"), PREFIXES, ids=str)
def test_a_level_is_known_by_its_prefix(value: object, level: str) -> None:
    assert level_of(value) == level


@pytest.mark.parametrize(("level", "status"), STATUSES)
def test_a_status_groups_levels(level: str, status: str) -> None:
    assert status_of(level) == status


def test_every_level_has_a_status() -> None:
    assert {level for level, _ in STATUSES} == set(LEVELS)


def test_the_documented_example_serious_is_severe_and_an_error() -> None:
    record = record_of({"content": "x", "level": "serious"})

    assert (record.loglevel, record.status) == ("SEVERE", "ERROR")


def test_an_event_without_a_level_has_none() -> None:
    record = record_of({"content": "x"})

    assert (record.loglevel, record.status) == ("NONE", "NONE")
