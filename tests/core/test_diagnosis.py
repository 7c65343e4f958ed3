"""What facts of a host mean, as a table: each broken host, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from shipper.core import diagnosis as d
from shipper.core import diagnosis_endpoint as e
from shipper.core import diagnosis_service as v
from shipper.core import diagnosis_state as s
from shipper.core.delivery import Response
from shipper.core.diagnosis import Finding

WATCHES = d.Watches(needed=20, max_watches=8192, max_instances=128, max_queued=16_384, used_watches=10,
                    used_instances=2, scan_seconds=5.0)  # fmt: skip
DESCRIPTORS = d.Descriptors(most=1024, wanted=512, connections=4, running=True)
ROOM = d.Room("/s", 10 << 30, 1_000_000, 1 << 30)
STATE = s.StateFacts(path="/s", exists=True, user="shipper", owner="shipper", files=3, copy_age_seconds=90.0,
                     letters_most=1000)  # fmt: skip
PUBLIC = e.Target(url="https://abc.example/api/v2/logs/ingest", host="abc.example", loopback=False)
LOCAL = e.Target(url="http://127.0.0.1:14499/v2/logs/ingest", host="127.0.0.1", loopback=True)
SERVICE = v.Service("shipper.service", {"ProtectHome": "yes", "PrivateTmp": "yes", "IPAddressDeny": "0.0.0.0/0 ::/0"},
                    [("/var/log", "syslog")], "127.0.0.1", loopback=True)  # fmt: skip
LATER = "directories without a watch are looked at every 5 s: lines come later, none is lost"
FULL = "offsets cannot be saved on a full disk: nothing is lost, but after a crash more is sent twice"
NTP = "timedatectl set-ntp true"


def fit(explained: float, *, lines: int = 50, chosen: bool = True) -> s.FileFit:
    return s.FileFit("shop", "/a.log", "nginx_access", explained, lines, chosen)


def sysctl(name: str, value: int) -> str:
    return f"sysctl -w {name}={value} && echo {name}={value} > /etc/sysctl.d/90-shipper.conf"


HOSTS: dict[str, tuple[Iterable[Finding], list[Finding]]] = {
    "watches_run_out": (
        d.watches(replace(WATCHES, max_watches=25)),
        [Finding("inotify", "warn", "20 directories need a watch each; fs.inotify.max_user_watches is 25 and 10 are "
                 "in use", LATER, sysctl("fs.inotify.max_user_watches", 524288))],
    ),
    "watches_just_enough": (
        d.watches(replace(WATCHES, max_watches=30)),
        [Finding("inotify", "ok", "20 watches are needed, 30 allowed, 10 in use")],
    ),
    "instances_run_out": (
        d.watches(replace(WATCHES, used_instances=128)),
        [Finding("inotify", "warn", "fs.inotify.max_user_instances is 128 and 128 are in use", LATER,
                 sysctl("fs.inotify.max_user_instances", 1024))],
    ),
    "short_queue": (
        d.watches(replace(WATCHES, max_queued=512)),
        [Finding("inotify", "warn", "fs.inotify.max_queued_events is 512, under 4096",
                 "a burst of changes overflows it, and only the next scan finds what is new",
                 sysctl("fs.inotify.max_queued_events", 16384))],
    ),
    "no_inotify": (
        d.watches(replace(WATCHES, max_watches=None)),
        [Finding("inotify", "warn", "the limits of change events cannot be read (/proc/sys/fs/inotify)", LATER)],
    ),
    "logs_on_nfs": (
        d.log_file_systems([d.Place("/mnt/logs", "nfs4", silent=True), d.Place("/var/log", "ext4")], 5.0),
        [
            Finding("file systems", "warn", "/mnt/logs is on nfs4, which gives no change events: it is looked at every "
                    "5 s", "a file that comes and goes between two looks is not seen",
                    "poll: 1s in that source of agent.yaml, where that is too slow"),
            Finding("file systems", "ok", "1 folder with logs on ext4"),
        ],
    ),
    "logs_in_memory": (
        d.log_file_systems([d.Place("/run/log", "tmpfs")], 5.0),
        [Finding("file systems", "warn", "/run/log is on tmpfs, in memory",
                 "its logs are gone with a reboot: what was not delivered by then is lost")],
    ),
    "logs_in_a_container": (
        d.log_file_systems([d.Place("/a", "overlay"), d.Place("/b", "overlay")], 5.0),
        [Finding("file systems", "ok", "2 folders with logs on overlay; what is changed below it gives no event, and "
                 "the next scan finds it")],
    ),
    "state_on_nfs": (
        d.state_file_system(d.Place("/s", "nfs4", silent=True)),
        [Finding("file systems", "fail", "state_dir /s is on nfs4", "locks and syncs of a network file system cannot "
                 "be relied on: offsets can be damaged, or two agents run on them",
                 "state_dir: a folder on a local disk, in agent.yaml")],
    ),
    "state_in_a_container": (
        d.state_file_system(d.Place("/s", "overlay")),
        [Finding("file systems", "warn", "state_dir /s is on overlay, a container's own layer",
                 "offsets are gone with the container: files are read again from their beginning",
                 "mount a volume there")],
    ),
    "descriptors_run_out": (
        d.descriptors(replace(DESCRIPTORS, most=256)),
        [Finding("descriptors", "fail", "limits.open_files is 512, which takes 580 descriptors with the agent's own; "
                 "the running agent may hold 256",
                 "past that no file can be opened, and none of the waiting ones is read",
                 "LimitNOFILE=65536 in the service (systemctl edit shipper), ulimit -Hn in a shell, or "
                 "limits.open_files: 188 in agent.yaml")],
    ),
    "descriptors_just_enough": (
        d.descriptors(replace(DESCRIPTORS, most=580, running=False)),
        [Finding("descriptors", "ok", "limits.open_files is 512, and a process started from here may hold 580")],
    ),
    "clock_behind": (
        d.clock(-93.4, None),
        [Finding("clock", "warn", "this host's clock is 93 s behind the endpoint's", "events carry a wrong time; far "
                 "enough behind, they are taken for older than the 24 h that are accepted", NTP)],
    ),
    "clock_far_ahead": (
        d.clock(90_000.0, True),
        [Finding("clock", "fail", "this host's clock is 90000 s ahead of the endpoint's", "events carry a wrong time; "
                 "far enough behind, they are taken for older than the 24 h that are accepted", NTP),
         Finding("clock", "ok", "kept by NTP")],
    ),
    "clock_not_kept": (
        d.clock(0.4, False),
        [Finding("clock", "ok", "within 1 s of the endpoint's"),
         Finding("clock", "warn", "the clock is not kept by NTP",
                 "it drifts: events of this host and of others do not line up", NTP)],
    ),
    "disk_full": (
        d.disk(replace(ROOM, bytes=1_572_864)),
        [Finding("disk", "fail", "1.5 MiB are free at state_dir /s, under 64 MiB", FULL, "make room: df -h /s")],
    ),
    "inodes_run_out": (
        d.disk(replace(ROOM, inodes=12)),
        [Finding("disk", "fail", "12 inodes are free at state_dir /s", FULL, "remove small files: df -i /s")],
    ),
    "disk_small": (
        d.disk(replace(ROOM, bytes=512 << 20)),
        [Finding("disk", "warn", "512 MiB are free at state_dir /s; dead letters and spill may take 1.0 GiB", FULL,
                 "lower dead_letters.max_bytes or limits.spill in agent.yaml, or make room: df -h /s")],
    ),
    "disk_without_inodes": (
        d.disk(replace(ROOM, inodes=None)),
        [Finding("disk", "ok", "10.0 GiB are free at state_dir /s")],
    ),
    "state_of_root": (
        s.state(replace(STATE, owner="root")),
        [Finding("state", "fail", "state_dir /s belongs to root, and the agent runs as shipper",
                 "the agent cannot save how far it has read, and does not start", "chown -R shipper /s"),
         Finding("state", "ok", "offset store sound, 3 files; good copy 90 s old")],
    ),
    "state_damaged": (
        s.state(replace(STATE, damage="offsets.db: damaged: not a database", copy_age_seconds=7_300.0)),
        [Finding("state", "fail", "offsets.db: damaged: not a database",
                 "its copy is 2 h old: what was acknowledged since is sent again", "shipper state restore")],
    ),
    "state_damaged_without_a_copy": (
        s.state(replace(STATE, damage="offsets.db: damaged", copy_age_seconds=None)),
        [Finding("state", "fail", "offsets.db: damaged", "there is no good copy of it",
                 "shipper state restore FILE, with an export")],
    ),
    "copy_is_old": (
        s.state(replace(STATE, holder="shipper (process 8)", copy_age_seconds=200_000.0)),
        [Finding("state", "ok", "an agent runs: shipper (process 8) holds /s"),
         Finding("state", "ok", "offset store sound, 3 files; good copy 2 d old"),
         Finding("state", "warn", "the good copy of the offsets is 2 d old, though an agent runs",
                 "should the store be damaged, all since then is sent twice",
                 "look for space and for state_not_saved in the agent's log: df -h /s")],
    ),
    "letters_full": (
        s.state(replace(STATE, letters_bytes=1000)),
        [Finding("state", "ok", "offset store sound, 3 files; good copy 90 s old"),
         Finding("state", "fail", "dead letters take 1000 B of 1000 B", "the agent stops reading now",
                 "shipper dlq list; then shipper dlq replay or shipper dlq drop, or raise dead_letters.max_bytes")],
    ),
    "letters_nearly_full": (
        s.state(replace(STATE, letters_bytes=800, letters_stop=False)),
        [Finding("state", "ok", "offset store sound, 3 files; good copy 90 s old"),
         Finding("state", "warn", "dead letters take 800 B of 1000 B",
                 "the agent lets the oldest go when they are full",
                 "shipper dlq list; then shipper dlq replay or shipper dlq drop, or raise dead_letters.max_bytes")],
    ),
    "another_agent": (
        s.peers([s.Peer("Filebeat", 7, ("/a", "/b", "/c", "/d"), "it has them open")], []),
        [Finding("other agents", "warn", "Filebeat (process 7) reads /a, /b, /c and 1 more too: it has them open",
                 "both can read, but what both ship to the same place arrives there twice",
                 "take those files out of one of the two: exclude in agent.yaml, or its own configuration")],
    ),
    "another_agent_on_other_files": (
        s.peers([], ["Filebeat (process 7)"]),
        [Finding("other agents", "ok", "other log agents: Filebeat (process 7) runs, on other files")]),
    "many_agents_on_other_files": (
        s.peers([], [f"Vector (process {pid})" for pid in range(1, 6)]),
        [Finding("other agents", "ok", "other log agents: Vector (process 1), Vector (process 2), Vector (process 3)"
                 " and 2 more run, on other files")]),
    "no_other_agent": (s.peers([], []), [Finding("other agents", "ok", "other log agents: none runs")]),
    "a_format_that_does_not_fit": (
        s.formats([fit(0.34, chosen=False), fit(0.95), fit(1.0), fit(0.0, lines=2)], 7),
        [Finding("formats", "warn", "/a.log: 34 % of its first 50 lines are explained by nginx_access, which source "
                 "shop names", "what is not explained is shipped too, without a time and a level of its own",
                 "shipper explain /a.log; shipper suggest /a.log"),
         Finding("formats", "ok", "2 files read well: at least 95 % of the first lines explained"),
         Finding("formats", "ok", "1 file has too few lines yet to judge"),
         Finding("formats", "ok", "7 more files were not looked into")],
    ),
    "a_file_like_nothing_known": (
        s.formats([fit(0.0)], 0),
        [Finding("formats", "warn", "/a.log: nothing in its first 50 lines looks like a known layout: each line is a "
                 "record", "what is not explained is shipped too, without a time and a level of its own",
                 "shipper explain /a.log; shipper suggest /a.log")],
    ),
    "a_service_without_homes": (
        v.service(replace(SERVICE, folders=[("/home/shop/logs", "shop"), ("/homely", "b"), ("/tmp", "c")])),
        [Finding("service", "fail", "source shop names /home/shop/logs, which shipper.service does not see "
                 "(ProtectHome=yes)", "its files are not there for the service, though a shell sees them",
                 "systemctl edit shipper.service: [Service] ProtectHome=read-only"),
         Finding("service", "fail", "source c names /tmp, which shipper.service does not see (PrivateTmp=yes)",
                 "its files are not there for the service, though a shell sees them",
                 "systemctl edit shipper.service: [Service] PrivateTmp=no")],
    ),
    "a_service_that_may_not_leave_the_host": (
        v.service(replace(SERVICE, host="abc.example", loopback=False)),
        [Finding("service", "fail", "shipper.service may reach this host only (IPAddressDeny), and the endpoint is "
                 "abc.example", "nothing is delivered by the service, though it works in a shell",
                 "systemctl edit shipper.service: [Service] IPAddressDeny= (see drop-ins/public-api.conf among the "
                 "package's examples)")],
    ),
    "a_service_that_sees_everything": (
        v.service(replace(SERVICE, settings={"ProtectHome": "read-only"}, folders=[("/home/a", "a")], loopback=False)),
        [Finding("service", "ok", "shipper.service may see every folder of the sources, and reach the endpoint")],
    ),
    "no_tls_trust": (
        [e.unreachable(PUBLIC, "TLS: unable to get local issuer certificate")],
        [Finding("endpoint", "fail", "https://abc.example/api/v2/logs/ingest: TLS: unable to get local issuer "
                 "certificate", mend="install the authority that signed its certificate (update-ca-certificates), or "
                 "write the name that the certificate has in endpoint.url")],
    ),
    "no_such_host": (
        [e.unreachable(PUBLIC, "its name cannot be resolved")],
        [Finding("endpoint", "fail", "https://abc.example/api/v2/logs/ingest: its name cannot be resolved",
                 mend="look at the host in endpoint.url, and at the resolver: getent hosts abc.example")],
    ),
    "a_firewall": (
        [e.unreachable(PUBLIC, "connect timed out")],
        [Finding("endpoint", "fail", "https://abc.example/api/v2/logs/ingest: connect timed out",
                 mend="let the firewall pass it, or name a proxy in HTTPS_PROXY: curl -v "
                 "https://abc.example/api/v2/logs/ingest")],
    ),
    "the_wrong_environment": (
        [e.answered(PUBLIC, Response(404, {"server": "x"}, b""))],
        [Finding("endpoint", "fail", "https://abc.example/api/v2/logs/ingest: 'x' answers 404: it takes no logs at "
                 "this path", "no log ingest is served at this URL: another environment, or an ActiveGate without it",
                 "look at endpoint.url in agent.yaml")],
    ),
    "a_proxy_is_used": (
        e.proxies(PUBLIC, {"HTTPS_PROXY": "http://me:secret@proxy:3128"}, "http://me:secret@proxy:3128"),
        [Finding("proxy", "ok", "requests to abc.example go through http://proxy:3128 (HTTPS_PROXY set)")],
    ),
    "a_proxy_is_passed_by": (
        e.proxies(PUBLIC, {"https_proxy": "p", "no_proxy": "abc.example"}, None),
        [Finding("proxy", "ok", "https_proxy, no_proxy set, and not used for abc.example")],
    ),
    "a_proxy_for_this_host": (
        e.proxies(LOCAL, {"HTTP_PROXY": "p"}, "p"),
        [Finding("proxy", "ok", "HTTP_PROXY set, and not used: the endpoint is on this host")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTS)
def test_every_host_gets_its_findings(name: str) -> None:
    found, expected = HOSTS[name]

    assert list(found) == expected


def test_what_fails_says_how_it_is_mended() -> None:
    """Generators are spent by the test above, so the expected ones are looked at."""
    failing = [one for _, expected in HOSTS.values() for one in expected if one.level == "fail"]

    assert len(failing) >= 10
    assert [one.text for one in failing if not one.mend] == []
