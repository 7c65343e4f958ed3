"""The packages under test, and machines that are shut down whatever happens."""

from __future__ import annotations

import grp
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deb_life import ADM
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


def _machine(name: str, *packages: str) -> Machine:
    return Machine(tree(name, "bookworm", "systemd", "systemd-sysv", "dbus", "python3", *packages))


@pytest.fixture(scope="module")
def boot() -> Iterator[Callable[..., Machine]]:
    """Boot a fresh Debian 12 with these packages; call it as often as machines are needed."""
    machines = list[Machine]()

    def booted(name: str, *packages: str) -> Machine:
        machine = _machine(name, *packages)
        machines.append(machine)
        machine.boot()
        return machine

    yield booted
    for machine in machines:
        machine.power_off()


@pytest.fixture(scope="session")
def deb_machine(deb: Path, deb_before: Path) -> Iterator[Machine]:
    """One machine for all of the deb's life, which is told in two files; the second one shuts it down."""
    machine = _machine("deb")
    machine.boot()
    try:
        for package in (deb, deb_before):
            shutil.copy(package, machine.root / "root")
        assert grp.getgrnam("adm").gr_gid == ADM
        yield machine
    finally:
        machine.power_off()
