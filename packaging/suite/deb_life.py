"""What the steps of the deb's life have in common: the log, installing, and waiting for the agent."""

from __future__ import annotations

from pathlib import Path

from machine import Machine

LOG = "/var/log/shop/shop.log"
ADM = 4


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


def last_words(host: Machine) -> str:
    return host.run("journalctl -u shipper -n 60 --no-pager -o short-precise", check=False).stdout
