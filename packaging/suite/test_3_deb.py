"""The deb's life under a real systemd, in order: each step stands on the one before, and a failure ends the run."""

from __future__ import annotations

import grp
import re
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine import Machine

LOG = "/var/log/shop/shop.log"
ADM = 4
KNOWN_TO_PASS = 1.5


@pytest.fixture(scope="module")
def host(boot: Callable[..., Machine], deb: Path, deb_before: Path) -> Iterator[Machine]:
    machine = boot("deb")
    for package in (deb, deb_before):
        shutil.copy(package, machine.root / "root")
    assert grp.getgrnam("adm").gr_gid == ADM
    yield machine
    print(machine.run("journalctl -u shipper -n 60 --no-pager -o short-precise", check=False).stdout)


def install(host: Machine, package: Path) -> str:
    done = host.run(
        f"apt-get install -y --allow-downgrades -o Dpkg::Options::=--force-confold /root/{package.name} 2>&1"
    )
    return done.stdout


def pid(host: Machine) -> str:
    return host.show("shipper", "MainPID")


def wait_running(host: Machine) -> None:
    host.wait("shipper runs", "test $(systemctl show -P SubState shipper) = running", 40)


def wait_saved(host: Machine, path: str = LOG) -> None:
    """Wait until every byte of *path* is acknowledged and its offset saved: nothing is on its way."""
    host.wait(
        f"{path} is saved",
        "size=$(stat -c %s " + path + "); shipper state list --json -c /etc/shipper/agent.yaml | python3 -c '"
        'import json, sys; rows = json.load(sys.stdin); sys.exit(not any(r["path"] == sys.argv[1] and '
        'r["offset"] == int(sys.argv[2]) for r in rows))\' ' + path + " $size",
        30,
    )


def test_the_build_before_is_installed_enabled_and_started(host: Machine, deb_before: Path) -> None:
    host.write(LOG, "2026-01-02 03:04:05 INFO before the first start\n", 0o640, group=ADM)

    install(host, deb_before)

    wait_running(host)
    for unit in ("shipper", "shipper-endpoint"):
        assert host.run(f"systemctl is-enabled {unit}").stdout.strip() == "enabled"
        assert host.run(f"systemctl is-active {unit}").stdout.strip() == "active"
    assert host.show("shipper", "User") == "shipper"
    assert host.run("stat -c '%U:%G %a' /etc/shipper/agent.yaml /var/lib/shipper").stdout.split("\n")[:2] == [
        "root:shipper 640",
        "shipper:shipper 700",
    ]


def test_an_appended_line_arrives_at_the_endpoint_service(host: Machine) -> None:
    assert len(host.wait_for_events("before the first start")) == 1

    host.append(LOG, "2026-01-02 03:04:06 WARN line-appended\n")

    event = host.wait_for_events("line-appended")[0]
    assert event["loglevel"] == "WARN"


def test_the_command_starts_within_a_quarter_of_a_second(host: Machine) -> None:
    """Of processor time: by the clock other work on the machine would count as well."""
    host.write("/root/start.py", _START)
    taken = [tuple(map(float, host.run("python3 /root/start.py").stdout.split())) for _ in range(9)]
    clock, processor = zip(*taken, strict=True)
    print(f"shipper --version: CPU median {statistics.median(processor):.3f} s, clock best {min(clock):.3f} s of 9")

    assert statistics.median(processor) < 0.25


def test_the_first_event_is_sent_within_a_second_of_processor_time_after_the_start(host: Machine) -> None:
    host.write("/root/first.py", _FIRST)
    taken = [tuple(map(float, host.run("python3 /root/first.py").stdout.split())) for _ in range(5)]
    clock, processor = zip(*taken, strict=True)
    print(f"run to first event: CPU median {statistics.median(processor):.2f} s, clock best {min(clock):.2f} s of 5")

    assert statistics.median(processor) < 1


def test_the_status_text_tells_files_rate_and_lag(host: Machine) -> None:
    text = host.wait(
        "a status text", 'test -n "$(systemctl show -P StatusText shipper)" && systemctl show -P StatusText shipper', 30
    )
    print(text)

    assert re.search(r"\d+ files?", text)
    assert "lag" in text or "behind" in text or "caught up" in text


@pytest.mark.parametrize("unit", ["shipper", "shipper-endpoint"])
def test_the_security_score_is_at_most_one_and_a_half(host: Machine, unit: str) -> None:
    text = host.run(f"systemd-analyze security --no-pager {unit}", check=False).stdout
    score = re.search(r"Overall exposure level for \S+: (\d+\.\d)", text)
    print(score and score[0])

    assert score is not None
    assert float(score[1]) <= KNOWN_TO_PASS


def test_the_limits_are_those_of_the_unit(host: Machine) -> None:
    number = pid(host)
    status = host.run(f"cat /proc/{number}/status").stdout

    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)


def test_the_network_is_this_host_and_no_other(host: Machine) -> None:
    """An address of another kind on the same host stands for the network; with the drop-in it is reached."""
    host.host_network("ip", "address", "add", "192.0.2.7/32", "dev", "lo")
    host.write(
        "/root/connect.py",
        "import socket, sys\nsocket.create_connection((sys.argv[1], 14499 if sys.argv[1] != '192.0.2.7' else 9), 3)\n",
    )
    host.write("/root/listen.py", "import socket\ns = socket.create_server(('192.0.2.7', 9))\nwhile True: s.accept()\n")
    host.run("systemd-run --unit=listener python3 /root/listen.py")
    host.wait("the listener", "python3 /root/connect.py 192.0.2.7")
    limits = host.run("systemctl cat shipper | grep -E '^IPAddress' | sed 's/^/-p /' | tr '\\n' ' '").stdout

    assert (
        host.run(f"systemd-run -q --wait --pipe {limits} python3 /root/connect.py 127.0.0.1", check=False).returncode
        == 0
    )
    assert (
        host.run(f"systemd-run -q --wait --pipe {limits} python3 /root/connect.py 192.0.2.7", check=False).returncode
        != 0
    )
    opened = f"{limits} -p IPAddressAllow=any"
    assert (
        host.run(f"systemd-run -q --wait --pipe {opened} python3 /root/connect.py 192.0.2.7", check=False).returncode
        == 0
    )


def test_a_killed_agent_is_back_and_sends_nothing_twice_that_was_saved(host: Machine) -> None:
    wait_saved(host)
    before = pid(host)

    host.run(f"kill -9 {before}")

    host.wait(
        "a new process",
        f"test $(systemctl show -P MainPID shipper) != {before} && test $(systemctl show -P SubState shipper) = running",
    )
    host.append(LOG, "2026-01-02 03:04:07 INFO after-the-kill\n")
    host.wait_for_events("after-the-kill")
    assert len(host.events("line-appended")) == 1
    assert int(host.show("shipper", "NRestarts")) >= 1


def test_a_reload_picks_up_a_new_source_in_the_same_process(host: Machine) -> None:
    assert not (host.root / "usr/bin/kill").exists(), "the point of this tree is that it has no /bin/kill"
    before = pid(host)
    host.write("/srv/extra/one.log", "2026-01-02 03:04:08 INFO from-the-new-source\n", 0o640, group=ADM)
    host.write("/etc/shipper/conf.d/extra.yaml", "sources: [{name: extra, paths: [/srv/extra/*.log]}]\n")

    host.run("systemctl reload shipper")

    event = host.wait_for_events("from-the-new-source")[0]
    assert event["attributes"]["log.source"] == "extra"  # type: ignore[index]
    assert pid(host) == before


def test_a_wrong_configuration_is_refused_and_the_old_one_stays(host: Machine) -> None:
    before = pid(host)
    host.write("/etc/shipper/conf.d/wrong.yaml", "sources: [{name: wrong, pahts: [/srv/wrong/*.log]}]\n")

    host.run("systemctl reload shipper", check=False)

    host.append(LOG, "2026-01-02 03:04:09 INFO under-the-old-configuration\n")
    host.wait_for_events("under-the-old-configuration")
    assert pid(host) == before
    (host.root / "etc/shipper/conf.d/wrong.yaml").unlink()
    host.run("systemctl reload shipper")


def test_the_watchdog_restarts_a_stopped_agent(host: Machine) -> None:
    host.write("/etc/systemd/system/shipper.service.d/soon.conf", "[Service]\nWatchdogSec=4s\n")
    host.run("systemctl daemon-reload && systemctl restart shipper")
    wait_running(host)
    before = pid(host)

    host.run(f"kill -STOP {before}")

    host.wait(
        "a new process",
        f"p=$(systemctl show -P MainPID shipper); test $p != {before} && test $p != 0 && test $(systemctl show -P SubState shipper) = running",
        90,
    )
    assert "watchdog" in host.run("journalctl -u shipper --no-pager").stdout.lower()
    host.append(LOG, "2026-01-02 03:04:10 INFO after-the-watchdog\n")
    host.wait_for_events("after-the-watchdog")
    shutil.rmtree(host.root / "etc/systemd/system/shipper.service.d")
    host.run("systemctl daemon-reload && systemctl restart shipper")


def test_commands_that_root_runs_leave_nothing_of_roots(host: Machine) -> None:
    wait_running(host)
    wait_saved(host)
    host.run("shipper state list -c /etc/shipper/agent.yaml && shipper dlq list -c /etc/shipper/agent.yaml")
    host.run("systemctl stop shipper shipper-endpoint")

    host.run("shipper state list -c /etc/shipper/agent.yaml && shipper dlq list -c /etc/shipper/agent.yaml")
    host.run("shipper run --once --give-up-after 1s -c /etc/shipper/agent.yaml", check=False)
    host.run("timeout 5 shipper run -c /etc/shipper/agent.yaml", check=False)
    host.run("timeout -s KILL 4 shipper endpoint --store /var/lib/shipper-endpoint", check=False)
    host.run("timeout -s KILL 4 shipper endpoint --port 0", check=False)

    assert host.run("find /var/lib/shipper /var/lib/shipper-endpoint -user root -o -group root").stdout == ""
    host.run("systemctl start shipper-endpoint shipper")
    host.append(LOG, "2026-01-02 03:04:11 INFO after-roots-commands\n")
    host.wait_for_events("after-roots-commands")


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

    host.write("/root/handle.py", _MAKE_HANDLE)
    host.run("mkdir -p /run/probe && python3 /root/handle.py && chmod 755 /run/probe && chmod 644 /run/probe/*")
    host.write("/usr/local/lib/probe.py", _PROBE)
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


_FIRST = """
import http.server, os, pathlib, subprocess, tempfile, threading, time
folder = pathlib.Path(tempfile.mkdtemp())
first = threading.Event()
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        first.set()
        self.send_response(204)
        self.end_headers()
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
(folder / "a.log").write_text("2026-01-02 03:04:05 INFO one\\n")
(folder / "agent.yaml").write_text(
    f"state_dir: {folder}/state\\nendpoint: {{url: 'http://127.0.0.1:{server.server_port}'}}\\n"
    f"sources: [{{name: a, paths: ['{folder}/*.log']}}]\\n")
begun = time.monotonic()
agent = subprocess.Popen(["shipper", "run", "-c", str(folder / "agent.yaml")], stderr=subprocess.DEVNULL)
assert first.wait(60)
taken = time.monotonic() - begun
fields = pathlib.Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()
agent.kill()
print(taken, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
"""

_START = """
import resource, subprocess, time
begun = time.monotonic()
subprocess.run(["shipper", "--version"], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.monotonic() - begun, used.ru_utime + used.ru_stime)
"""

_MAKE_HANDLE = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
mount = ctypes.c_int()
if libc.name_to_handle_at(-100, b"/etc/shadow", handle, ctypes.byref(mount), 0):
    raise OSError(ctypes.get_errno(), "name_to_handle_at")
open("/run/probe/handle", "wb").write(handle.raw)
"""

_PROBE = """
import ctypes, os
status = open("/proc/self/status").read()
print("capability:", "yes" if "CapEff:\\t0000000000000004" in status else "no")
def attempt(what, call):
    try:
        call()
        print(what + ": read", flush=True)
    except OSError as error:
        print(what + ": refused", error.strerror, flush=True)
def by_handle():
    libc = ctypes.CDLL(None, use_errno=True)
    raw = open("/run/probe/handle", "rb").read()
    handle = ctypes.create_string_buffer(raw)
    root = os.open("/", os.O_RDONLY)
    number = libc.open_by_handle_at(root, handle, os.O_RDONLY)
    if number < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    assert os.read(number, 10)
attempt("secret.log", lambda: open("/var/log/shop/secret.log").read())
def by_path():
    if not open("/etc/shadow").read():
        raise OSError(13, "empty")
attempt("shadow by path", by_path)
attempt("shadow by handle", by_handle)
"""
