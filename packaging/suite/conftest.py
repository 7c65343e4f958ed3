"""The packages under test, and machines that are shut down whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine import ROOT, Machine, tree


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    assert len(found) == 1, f"{folder}: {len(found)} packages; run make packages in a clean dist"
    return found[0]


@pytest.fixture(scope="session")
def deb() -> Path:
    return _only(ROOT / "dist", "*.deb")


@pytest.fixture(scope="session")
def rpm() -> Path:
    return _only(ROOT / "dist", "*.rpm")


@pytest.fixture(scope="session")
def deb_before() -> Path:
    return _only(ROOT / "build/before", "*.deb")


@pytest.fixture(scope="session")
def rpm_before() -> Path:
    return _only(ROOT / "build/before", "*.rpm")


@pytest.fixture(scope="module")
def boot() -> Iterator[Callable[..., Machine]]:
    """Boot a fresh Debian 12 with these packages; call it as often as machines are needed."""
    machines = list[Machine]()

    def booted(name: str, *packages: str) -> Machine:
        machine = Machine(tree(name, "bookworm", "systemd", "systemd-sysv", "dbus", "python3", *packages))
        machines.append(machine)
        machine.boot()
        return machine

    yield booted
    for machine in machines:
        machine.power_off()
