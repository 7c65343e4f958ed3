"""The unit files: what real runs have shown to matter stands in them, and a later edit must not drop it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "packaging/files"
UNITS = ("shipper.service", "shipper-endpoint.service")


def settings(path: Path) -> dict[str, list[str]]:
    """Return every key of a unit with its values in order."""
    found = defaultdict[str, list[str]](list)
    for line in path.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return found


def drop_in(name: str) -> dict[str, list[str]]:
    return settings(FILES / "examples/drop-ins" / name)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "78"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("IPAddressDeny", "any"),
        ("IPAddressAllow", "localhost"),
        ("UMask", "0077"),
        ("StateDirectoryMode", "0700"),
    ],
)
def test_a_service_is_confined_and_comes_back(unit: str, key: str, value: str) -> None:
    assert settings(FILES / "systemd" / unit)[key] == [value]


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_is_not_throttled_into_its_watchdog(unit: str) -> None:
    """Above MemoryHigh the agent stood still until the watchdog ended it; over MemoryMax it is told so."""
    unit_settings = settings(FILES / "systemd" / unit)

    assert "MemoryHigh" not in unit_settings
    assert unit_settings["MemoryMax"]
    assert unit_settings["WatchdogSec"]


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_is_started_that_a_minimal_host_lacks(unit: str) -> None:
    """/bin/kill is a package of its own."""
    commands = [
        value
        for key, values in settings(FILES / "systemd" / unit).items()
        if key.startswith("Exec")
        for value in values
    ]

    assert {command.split()[0] for command in commands} == {"/usr/bin/shipper"}


def test_the_capability_to_read_all_files_is_opt_in_and_never_without_its_guards() -> None:
    """A file can be opened past InaccessiblePaths by open_by_handle_at, which is in @privileged."""
    unit, more = settings(FILES / "systemd/shipper.service"), drop_in("read-all-logs.conf")

    assert unit["AmbientCapabilities"] == [""]
    assert more["AmbientCapabilities"] == ["CAP_DAC_READ_SEARCH"] == more["CapabilityBoundingSet"]
    assert "-/etc/shadow" in " ".join(more["InaccessiblePaths"]).split()
    assert unit["SystemCallFilter"][0] == "@system-service"
    assert "@privileged" in unit["SystemCallFilter"][1].removeprefix("~").split()


@pytest.mark.parametrize("path", sorted((FILES / "examples/drop-ins").glob("*.conf")), ids=lambda path: path.name)
def test_no_drop_in_takes_a_guard_away(path: Path) -> None:
    capability = {"CapabilityBoundingSet", "AmbientCapabilities", "InaccessiblePaths"}

    assert set(settings(path)) <= {"IPAddressAllow", "ProtectHome", *capability}
    assert f"/etc/systemd/system/shipper.service.d/{path.name}" in path.read_text(encoding="utf-8")


def test_the_state_folders_are_the_users_own() -> None:
    lines = (FILES / "systemd/tmpfiles.conf").read_text(encoding="utf-8").splitlines()
    made = {line.split()[1]: line.split()[2:5] for line in lines if line.startswith("d ")}

    for unit in UNITS:
        unit_settings = settings(FILES / "systemd" / unit)
        user = unit_settings["User"][0]
        assert made[f"/var/lib/{unit_settings['StateDirectory'][0]}"] == ["0700", user, user]
