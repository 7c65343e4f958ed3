"""The rpm's life, with rpm itself and live scriptlets, under a real systemd; the tree is Debian's, not Red Hat's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import ROOT, Machine

LOG = "/var/log/shop/shop.log"


@pytest.fixture(scope="module")
def host(
    boot: Callable[..., Machine], rpm: Path, rpm_before: Path, tmp_path_factory: pytest.TempPathFactory
) -> Machine:
    machine = boot("rpm", "rpm")
    for package in (rpm, rpm_before):
        shutil.copy(package, machine.root / "root")
    # What Debian's own packages provide, in rpm's words.
    description = tmp_path_factory.mktemp("basis") / "basis.yaml"
    provides = ["systemd", "libc.so.6(GLIBC_2.28)(64bit)", "/bin/sh", "python3.11"]
    description.write_text(
        json.dumps({"name": "basis", "arch": "all", "version": "9", "maintainer": "a <a@b.c>", "provides": provides}),
        encoding="utf-8",
    )
    nfpm = str(ROOT / "build/tools/bin/nfpm")
    made = machine.root / "root/basis.rpm"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
    subprocess.run(
        [nfpm, "package", "-f", str(description), "-p", "rpm", "-t", str(made)],
        check=True,
        capture_output=True,
        env=environment,
    )
    machine.run("rpm -i /root/basis.rpm")
    # As Red Hat's family has it: what is not named is not enabled.
    machine.write("/usr/lib/systemd/system-preset/00-test.preset", "disable *\n")
    machine.write(LOG, "2026-01-02 03:04:05 INFO first-line\n", 0o640, group=4)
    return machine


def test_it_obeys_the_preset_and_the_service_can_read_its_configuration(host: Machine, rpm_before: Path) -> None:
    host.run(f"rpm -i /root/{rpm_before.name}")

    assert host.run("systemctl is-enabled shipper", check=False).stdout.strip() == "disabled"
    assert host.run("systemctl is-active shipper", check=False).stdout.strip() == "inactive"
    assert host.run("stat -c '%U:%G %a' /etc/shipper/agent.yaml").stdout.strip() == "root:shipper 640"
    host.run("systemctl enable --now shipper-endpoint shipper")
    host.wait_for_events("first-line")


def test_an_upgrade_restarts_and_keeps_offsets_and_the_edited_file(host: Machine, rpm: Path) -> None:
    path = host.root / "etc/shipper/agent.yaml"
    edited = path.read_text(encoding="utf-8") + "# edited\n"
    path.write_text(edited, encoding="utf-8")
    host.append(LOG, "2026-01-02 03:04:06 INFO before-the-upgrade\n")
    host.wait_for_events("before-the-upgrade")
    host.run("systemctl restart shipper")
    before = host.show("shipper", "MainPID")

    host.run(f"rpm -U /root/{rpm.name}")

    host.wait("shipper runs", f"p=$(systemctl show -P MainPID shipper); test $p != 0 && test $p != {before}")
    host.append(LOG, "2026-01-02 03:04:07 INFO after-the-upgrade\n")
    host.wait_for_events("after-the-upgrade")
    assert path.read_text(encoding="utf-8") == edited
    assert [len(host.events(text)) for text in ("first-line", "before-the-upgrade", "after-the-upgrade")] == [1, 1, 1]
    assert host.run("systemctl is-enabled shipper").stdout.strip() == "enabled"


def test_erasing_stops_it_and_keeps_state_and_the_edited_file(host: Machine) -> None:
    host.run("rpm -e shipper")

    assert host.run("systemctl is-active shipper", check=False).stdout.strip() != "active"
    assert (host.root / "var/lib/shipper/offsets.db").exists()
    assert "# edited" in (host.root / "etc/shipper/agent.yaml.rpmsave").read_text(encoding="utf-8")
    assert not (host.root / "usr/lib/shipper").exists()
