"""Which zone a stamp without one is in: the host's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config.zones import host_zone


@pytest.mark.parametrize(
    ("tz", "link", "text", "zone"),
    [
        ("Asia/Tokyo", "/usr/share/zoneinfo/Europe/Vienna", "Europe/Paris", "Asia/Tokyo"),
        (":Asia/Tokyo", None, None, "Asia/Tokyo"),
        (":/usr/share/zoneinfo/Asia/Tokyo", None, None, "Asia/Tokyo"),
        ("", "/usr/share/zoneinfo/Europe/Vienna", "Europe/Paris", "Europe/Vienna"),
        ("", "../usr/share/zoneinfo/posix/Europe/Vienna", None, "Europe/Vienna"),
        ("CET-1CEST", "/usr/share/zoneinfo/Europe/Vienna", None, "Europe/Vienna"),
        ("No/Where", None, "Europe/Paris\n", "Europe/Paris"),
        ("../../etc/passwd", None, None, "UTC"),
        ("", "/nowhere/at/all", "nonsense", "UTC"),
        ("", None, None, "UTC"),
    ],
)
def test_the_first_that_names_a_zone_wins(
    tz: str, link: str | None, text: str | None, zone: str, tmp_path: Path
) -> None:
    if link is not None:
        (tmp_path / "localtime").symlink_to(link)
    if text is not None:
        (tmp_path / "timezone").write_text(text)

    assert host_zone({"TZ": tz}, tmp_path) == zone


def test_a_link_to_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    database = tmp_path / "zoneinfo" / "Europe"
    database.mkdir(parents=True)
    (database / "Vienna").touch()
    (tmp_path / "here").symlink_to(database / "Vienna")
    (tmp_path / "localtime").symlink_to(tmp_path / "here")

    assert host_zone({}, tmp_path) == "Europe/Vienna"
