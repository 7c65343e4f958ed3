"""Names that rotation tools give, told from names that only look alike."""

from __future__ import annotations

import pytest

from shipper.core.rotation_names import Mark, base_of, is_rotated_name, lineage_of, live_names, mark_of, stems_of

ROTATED = [
    ("app.log.1", "app.log"), ("app.log.12", "app.log"), ("app.log-20261123", "app.log"),
    ("app.log-20261123-1799999999", "app.log"), ("app.log-2026-11-23", "app.log"), ("app.log.2026-11-23", "app.log"),
    ("app.log.2026-11-23_09", "app.log"), ("app.log.2026-11-23_09-30", "app.log"),
    ("app.log.2026-11-23_09-30-15", "app.log"), ("app.log.20261123T093015Z", "app.log"), ("app.log.old", "app.log"),
    ("app.log.bak", "app.log"), ("app-2026-11-23.log", "app.log"), ("app-2026-11-23.1.log", "app.log"),
    ("app.2026-11-23.log", "app.log"), ("app-20261123.log", "app.log"), ("app.1.log", "app.log"),
    ("app-11-23-2026-2.log", "app.log"), ("app-2026-11-23T09-30-15.123.log", "app.log"),
    ("app.log-1799999999", "app.log"), ("app.log.1799999999123", "app.log"), ("app.log.2026-11-23.1", "app.log"),
    ("app.log.1", "app.log"), ("syslog.1", "syslog"), ("messages-20261123", "messages"), ("日誌.log.1", "日誌.log"),
    ("line\nbreak.log.1", "line\nbreak.log"), ("app_2026-11.log", "app.log"),
]  # fmt: skip
NOT_ROTATED = [
    ("app.log", "app.log"), ("app.log.gz", "app.log"), ("app.log.1.gz", "app.log"), ("app.log.2.xz", "app.log"),
    ("app.debug.log", "app.log"), ("webapp.log.1", "app.log"), ("app.log.1x", "app.log"), ("app.log.new", "app.log"),
    ("app.logs.1", "app.log"), ("app.log", "app.log.1"), ("app.log.swp", "app.log"), (".1", ""),
    ("app1.log", "app.log"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "of"), ROTATED)
def test_what_rotation_tools_write_is_known(name: str, of: str) -> None:
    assert is_rotated_name(name, of)


@pytest.mark.parametrize(("name", "of"), NOT_ROTATED)
def test_what_only_looks_alike_is_not(name: str, of: str) -> None:
    assert not is_rotated_name(name, of)


def test_a_name_with_many_marks_stems_from_every_shorter_one() -> None:
    assert {"app.log", "app.log-20261123"} <= live_names("app.log-20261123.1")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.log.1", "app.log"), ("app.log.12.3", "app.log"), ("app.log-20261123", "app.log"),
        ("app.log.2026-11-23T09:30", "app.log"), ("app.log", "app.log"), ("syslog", "syslog"), ("1.log", "1.log"),
    ],
)  # fmt: skip
def test_the_base_of_a_name_is_what_stood_before_the_rotation(name: str, expected: str) -> None:
    assert base_of(name) == expected


@pytest.mark.parametrize(
    ("path", "known_paths", "expected"),
    [
        pytest.param("/log/app.log.1", {"/log/app.log"}, "/log/app.log", id="sibling"),
        pytest.param("/log/app.log.1", {"/other/app.log"}, "/log/app.log.1", id="other_directory"),
        pytest.param("/log/app.log.1.2", {"/log/app.log", "/log/app.log.1"}, "/log/app.log", id="shortest"),
        pytest.param("/log/app.log", {"/log/app.log.1"}, "/log/app.log", id="the_live_one"),
        pytest.param("app.log.1", {"app.log"}, "app.log", id="bare_name"),
    ],
)
def test_a_lineage_is_named_by_its_live_file(path: str, known_paths: set[str], expected: str) -> None:
    assert lineage_of(path, known_paths) == expected


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("app.log.1.gz", "app.log"), ("app.log.1.gz", "app.log.1"), ("app.log.gz", "app.log"),
        ("app.log-20261126.xz", "app.log"), ("app-2026-11-26.log.zst", "app-2026-11-26.log"),
        ("app.log.3.bz2", "app.log"),
    ],
)  # fmt: skip
def test_a_compressed_name_stems_from_what_it_was_before_and_from_the_live_one(name: str, stem: str) -> None:
    assert stem in stems_of(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.log.12.gz", Mark(12, ())), ("app.1.log", Mark(1, ())), ("app.log-20261126", Mark(-1, (20261126,))),
        ("app-2026-11-26.10.log", Mark(-1, (2026, 11, 26, 10))), ("app.log", None), ("app.log.old", None),
    ],
)  # fmt: skip
def test_a_mark_says_the_order_of_a_name_among_its_siblings(name: str, expected: Mark | None) -> None:
    assert mark_of(name) == expected


def test_the_tenth_file_of_a_day_comes_after_the_ninth() -> None:
    ninth, tenth = mark_of("app-2026-11-26.9.log"), mark_of("app-2026-11-26.10.log")

    assert ninth is not None
    assert tenth is not None
    assert ninth.date < tenth.date
