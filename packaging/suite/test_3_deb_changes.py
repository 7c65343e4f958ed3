"""The deb's life goes on where test_3_deb.py left it, in order: upgraded, downgraded, removed, installed again, purged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from deb_life import LOG, install, last_words, pid, wait_running, wait_saved
from machine import Machine
from programs import MAKE_HANDLE, PROBE


@pytest.fixture(scope="module")
def host(deb_machine: Machine) -> Iterator[Machine]:
    yield deb_machine
    print(last_words(deb_machine))
    deb_machine.power_off()  # one machine at a time: the rpm's is booted next


def test_an_upgrade_restarts_once_and_keeps_configuration_and_offsets(host: Machine, deb: Path) -> None:
    wait_running(host)
    wait_saved(host)
    path = host.root / "etc/shipper/agent.yaml"
    edited = path.read_text(encoding="utf-8").replace("#attributes:", "attributes: {edited: by-hand}\n#attributes:")
    path.write_text(edited, encoding="utf-8")
    host.run("systemctl restart shipper")
    wait_running(host)
    cursor = host.run("journalctl -n 0 --show-cursor").stdout.rpartition("cursor: ")[2].strip()
    before = pid(host)

    install(host, deb)

    wait_running(host)
    assert pid(host) != before
    told = host.run(f"journalctl --after-cursor='{cursor}' -u shipper -o cat --no-pager").stdout
    assert told.count("Started shipper.service") == 1
    assert told.count("Stopped shipper.service") == 1
    assert path.read_text(encoding="utf-8") == edited
    host.append(LOG, "2026-01-02 03:04:12 INFO after-the-upgrade\n")
    event = host.wait_for_events("after-the-upgrade")[0]
    assert event["attributes"]["edited"] == "by-hand"  # type: ignore[index]
    for text in (
        "before the first start",
        "line-appended",
        "after-the-kill",
        "after-roots-commands",
        "after-the-upgrade",
    ):
        assert len(host.events(text)) == 1, text


def test_what_the_administrator_disabled_stays_disabled(host: Machine, deb: Path) -> None:
    host.run("systemctl disable --now shipper-endpoint")

    host.run(f"dpkg -i --force-confold /root/{deb.name}")

    assert host.run("systemctl is-enabled shipper-endpoint", check=False).stdout.strip() == "disabled"
    assert host.run("systemctl is-active shipper-endpoint", check=False).stdout.strip() == "inactive"
    host.run("systemctl enable --now shipper-endpoint")
    wait_running(host)


def test_a_downgrade_works_where_the_state_is_understood(host: Machine, deb_before: Path) -> None:
    host.append(LOG, "2026-01-02 03:04:13 INFO before-the-downgrade\n")
    host.wait_for_events("before-the-downgrade")
    wait_saved(host)

    install(host, deb_before)

    wait_running(host)
    host.append(LOG, "2026-01-02 03:04:14 INFO after-the-downgrade\n")
    host.wait_for_events("after-the-downgrade")
    assert len(host.events("before-the-downgrade")) == 1


def test_a_downgrade_is_refused_where_the_state_is_newer(host: Machine, deb: Path, deb_before: Path) -> None:
    install(host, deb)
    host.run("systemctl stop shipper")
    bump = 'python3 -c \'import sqlite3, sys; c = sqlite3.connect("/var/lib/shipper/offsets.db"); old = c.execute("PRAGMA user_version").fetchone()[0]; c.execute("PRAGMA user_version = " + sys.argv[1]); c.execute("PRAGMA wal_checkpoint(TRUNCATE)"); print(old)\' '
    known = host.run(bump + "99").stdout.strip()

    done = host.run(f"dpkg -i /root/{deb_before.name} 2>&1", check=False)

    assert done.returncode != 0
    assert "written by a newer version (schema 99" in done.stdout
    assert (
        host.run("dpkg-query -W -f '${Version} ${Status}' shipper").stdout
        == f"{deb.name.split('_')[1]} install ok installed"
    )
    host.run(bump + known + " && chown -R shipper: /var/lib/shipper && systemctl start shipper")


def test_all_logs_are_read_with_the_drop_in_and_nothing_else_of_roots(host: Machine) -> None:
    """The file handle that root made beforehand is what an attacker would have to guess."""
    host.write("/var/log/shop/secret.log", "2026-01-02 03:04:15 INFO read-by-capability\n", 0o600)
    drop_in = "/usr/share/doc/shipper/examples/drop-ins/read-all-logs.conf"
    host.run(
        f"install -D -m 0644 {drop_in} /etc/systemd/system/shipper.service.d/read-all-logs.conf && systemctl daemon-reload && systemctl restart shipper"
    )
    wait_running(host)
    host.wait_for_events("read-by-capability")

    host.write("/root/handle.py", MAKE_HANDLE)
    host.run("mkdir -p /run/probe && python3 /root/handle.py && chmod 755 /run/probe && chmod 644 /run/probe/*")
    host.write("/usr/local/lib/probe.py", PROBE)
    # The unit itself with another command: its sandbox, and no copy of it.
    host.run(
        "mkdir -p /etc/systemd/system/probe.service.d && cp /usr/lib/systemd/system/shipper.service /etc/systemd/system/probe.service"
        f" && cp {drop_in} /etc/systemd/system/probe.service.d/ && printf '[Service]\\nType=oneshot\\nRestart=no\\nWatchdogSec=0\\nExecStart=\\n"
        "ExecStart=/usr/bin/python3 /usr/local/lib/probe.py\\n' > /etc/systemd/system/probe.service.d/probe.conf && systemctl daemon-reload"
    )
    host.run("systemctl start probe", check=False)
    said = host.run("journalctl -u probe -o cat --no-pager").stdout
    assert "capability: yes" in said
    assert "secret.log: read" in said
    assert "shadow by path: refused" in said
    assert "shadow by handle: refused" in said
    # The control: without the filter the handle opens it, so the probe can tell.
    host.run(
        "printf '[Service]\\nSystemCallFilter=\\n' > /etc/systemd/system/probe.service.d/zz.conf && systemctl daemon-reload && systemctl start probe",
        check=False,
    )
    assert "shadow by handle: read" in host.run("journalctl -u probe -o cat --no-pager").stdout
    score = re.search(
        r": (\d+\.\d)", host.run("systemd-analyze security --no-pager shipper | grep Overall", check=False).stdout
    )
    print(f"with read-all-logs.conf: {score and score[1]}")


def test_removing_keeps_state_and_configuration(host: Machine) -> None:
    host.run("apt-get remove -y shipper")

    assert host.run("systemctl is-active shipper", check=False).stdout.strip() != "active"
    assert (host.root / "var/lib/shipper/offsets.db").exists()
    assert "by-hand" in (host.root / "etc/shipper/agent.yaml").read_text(encoding="utf-8")
    assert not (host.root / "usr/lib/shipper").exists()


def test_installed_again_it_goes_on_where_it_was(host: Machine, deb: Path) -> None:
    host.append(LOG, "2026-01-02 03:04:16 INFO while-it-was-removed\n")

    install(host, deb)

    host.wait_for_events("while-it-was-removed")
    assert len(host.events("after-the-downgrade")) == 1


def test_purging_leaves_no_state_and_no_links(host: Machine) -> None:
    host.run("rm -rf /etc/systemd/system/shipper.service.d /etc/shipper/conf.d/extra.yaml")

    host.run("apt-get purge -y shipper")

    left = "find /etc/shipper /var/lib/shipper /var/lib/shipper-endpoint /usr/lib/shipper /etc/systemd/system -name '*shipper*' 2>/dev/null"
    assert host.run(left, check=False).stdout == ""


def test_where_the_port_is_served_the_endpoint_is_left_alone(host: Machine, deb: Path) -> None:
    host.write(
        "/root/other.py", "import socket\ns = socket.create_server(('127.0.0.1', 14499))\nwhile True: s.accept()\n"
    )
    host.run("systemd-run --unit=oneagent python3 /root/other.py")
    host.wait("the other program", "python3 /root/connect.py 127.0.0.1")

    said = install(host, deb)

    assert "served already" in said
    assert host.run("systemctl is-enabled shipper-endpoint", check=False).stdout.strip() == "disabled"
    assert host.run("systemctl is-active shipper-endpoint", check=False).stdout.strip() == "inactive"
    assert host.run("systemctl is-enabled shipper").stdout.strip() == "enabled"
    host.run(f"dpkg -i /root/{deb.name}")
    assert host.run("systemctl is-enabled shipper-endpoint", check=False).stdout.strip() == "disabled"
