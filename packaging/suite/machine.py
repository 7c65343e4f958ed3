"""A Debian tree with a real systemd as its PID 1, in nspawn; and trees without, for what packages do to files.

nspawn as it is fails where the host has no systemd of its own: no system bus,
a version 1 control group tree. Both are cured in a mount namespace that only
this machine sees. Its own filter of system calls lets through what the tests need to see the units' do: bpf for
IPAddressDeny, open_by_handle_at for what read-all-logs.conf must keep away.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parents[2]
ROOTS: Final = ROOT / "build/roots"
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

_BOOT: Final = """
mount -t tmpfs tmpfs /run/systemd
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/shipper-package-test
echo $$ > /sys/fs/cgroup/shipper-package-test/cgroup.procs
exec systemd-nspawn -q --register=no --keep-unit --boot --console=pipe --private-network \
  --capability=all --system-call-filter='bpf open_by_handle_at' -D "$1"
"""
_EVENTS: Final = """
import json, sys, urllib.request
with urllib.request.urlopen("http://127.0.0.1:14499" + sys.argv[1], timeout=5) as answer:
    sys.stdout.write(answer.read().decode())
"""


def tree(name: str, suite: str, *packages: str) -> Path:
    """Return a fresh copy of a Debian tree with *packages*; the tree itself is made once."""
    pristine = ROOTS / f"{suite}-{'-'.join(('minbase', *packages))}"
    if not pristine.is_dir():
        ROOTS.mkdir(parents=True, exist_ok=True)
        making = pristine.with_name(pristine.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        included = [f"--include={','.join(packages)}"] if packages else []
        made = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", *included, suite, str(making)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise AssertionError(f"no Debian {suite} tree: {made.stderr[-2000:]}")
        making.rename(pristine)
    copy = ROOTS / f"run-{name}"
    subprocess.run(["rm", "-rf", "--one-file-system", str(copy)], check=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(pristine), str(copy)], check=True)
    return copy


def in_chroot(root: Path, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run *command* in *root* with /proc and this host's network; nothing of it outlives the command."""
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    done = subprocess.run(
        [
            "unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c",
            'mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$1" bash -c "$2"',
            "_", str(root), command,
        ],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


class Machine:
    """One booted tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._leader = 0
        self._log = root.with_name(root.name + ".log")
        self._nspawn: subprocess.Popen[bytes] | None = None

    def boot(self, seconds: float = 60) -> None:
        """Boot and wait until systemd says that it runs.

        Raises:
            AssertionError: It does not: a suite that can't boot has failed, it is not skipped.
        """
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "bash", "-ec", _BOOT, "_", str(self.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._nspawn.poll() is None:
            self._leader = self._leader or self._child_named("systemd")
            if self._leader and self.run("systemctl is-system-running", check=False).stdout.strip() == "running":
                return
            time.sleep(0.1)
        failed = self.run("systemctl --failed", check=False).stdout if self._leader else ""
        said = self._log.read_text(errors="replace")[-2000:]
        self.power_off()
        raise AssertionError(f"systemd did not boot in nspawn: {failed}\n{said}")

    def _child_named(self, name: str) -> int:
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                return int(child)
        return 0

    def power_off(self) -> None:
        """Shut down, by force where it does not end by itself."""
        if self._nspawn is None:
            return
        if self._leader:
            self.run("systemctl poweroff --no-block", check=False)
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._nspawn, self._leader = None, 0

    def run(self, command: str, *, check: bool = True, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Run *command* by a shell inside."""
        done = subprocess.run(
            [
                "nsenter", "-t", str(self._leader), "-m", "-p", "-u", "-i", "-n", "-C", "bash", "-c",
                f"cd /; {command}",
            ],
            env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def host_network(self, *command: str) -> None:
        """Run a program of the host in the machine's network."""
        subprocess.run(["nsenter", "-t", str(self._leader), "-n", *command], check=True, capture_output=True)

    def wait(self, what: str, condition: str, seconds: float = 60) -> str:
        """Wait until *condition* succeeds inside; return what it printed."""
        until = time.monotonic() + seconds
        while True:
            done = self.run(condition, check=False)
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > until:
                journal = self.run("journalctl -n 40 --no-pager -o short-precise", check=False).stdout
                raise AssertionError(f"{what}: not within {seconds:g} s\n{done.stdout}{done.stderr}\n{journal}")
            time.sleep(0.1)

    def show(self, unit: str, key: str) -> str:
        """Return one property of a unit."""
        return self.run(f"systemctl show -P {key} {unit}").stdout.strip()

    def write(self, path: str, text: str, mode: int = 0o644, *, group: int = 0) -> None:
        """Write a file of the tree."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)
        os.chown(place, 0, group)

    def append(self, path: str, text: str) -> None:
        """Append to a log, as a service of the tree would."""
        with (self.root / path.lstrip("/")).open("a", encoding="utf-8") as log:
            log.write(text)

    def events(self, text: str) -> list[dict[str, object]]:
        """Return the events at the endpoint service in whose content *text* is."""
        self.write("/root/get.py", _EVENTS)
        answer = self.run(f"python3 /root/get.py '/v1/events?limit=1000&q={quote(text)}'", check=False)
        if answer.returncode:
            return []
        found: list[dict[str, object]] = json.loads(answer.stdout)["events"]
        return [event for event in found if text in str(event["content"])]

    def wait_for_events(self, text: str, count: int = 1, seconds: float = 30) -> list[dict[str, object]]:
        """Wait until at least *count* events with *text* have arrived."""
        until = time.monotonic() + seconds
        while True:
            found = self.events(text)
            if len(found) >= count:
                return found
            if time.monotonic() > until:
                journal = self.run("journalctl -n 40 --no-pager -o short-precise", check=False).stdout
                raise AssertionError(f"{len(found)} of {count} events with {text!r} after {seconds:g} s\n{journal}")
            time.sleep(0.2)
