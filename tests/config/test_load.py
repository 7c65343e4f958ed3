"""agent.yaml, from its text to a Config: what is right, and what is said of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import find, load
from shipper.config.model import Monitoring
from shipper.errors import ConfigError
from tests.config.agent_yaml import loaded, said, write
from tests.config.wrong_configurations import WRONG

EVERYTHING = """
state_dir: state
endpoint:
  url: https://abc.live.dynatrace.com/api
  token: ${file:token}
  gzip: off
  profile: managed
  target_request_bytes: 512KiB
  flush_interval: 50ms
  max_request_bytes: 1_000_000
  max_request_events: 500
  max_content_bytes: 4KiB
  concurrency: 8
  connect_timeout: 1s
  timeout: 1m30s
  retry: {initial: 500ms, max: 2m}
  too_old: dead_letter
limits: {memory: 32MiB, spill: 0, open_files: 64, scan: 500ms, ledger: 1d}
dead_letters: {max_bytes: 1MiB, when_full: drop_oldest}
monitoring: {port: 14498, host: '::1', self_events: 1m}
attributes: {dt.security_context: shop, build: 17}
sources:
  - name: shop
    paths: [logs/**/*.log, ~/*.log]
    exclude: ['*.debug.log', 'logs/old/*', '**/tmp/*']
    start_at: end
    ignore_older: 7d
    encoding: latin-1
    pattern: '^(?P<timestamp>\\S+) (?P<severity>[A-Z]+) '
    timestamp: {formats: ['%Y', rfc3339], timezone: '+02:00'}
    severity: {map: {W: warn, 5: error}, rules: [{match: OutOfMemory, severity: critical}], default: info}
    multiline: {start: timestamp, max_lines: 10, max_bytes: 64KiB, timeout: 500ms}
    keep: [a]
    drop: [b]
    mask: [{pattern: c, replace: ''}, {preset: email}]
    attributes: {service.name: '${1}', path: '${0}', cost: '5$$'}
    poll: 5s
    rate_limit: 1MiB
    record_id: yes
    binary: always
    tests: [{line: x, expect: {left_out: keep}}]
"""


def test_every_key_arrives_with_its_meaning(tmp_path: Path) -> None:
    write(tmp_path, "dt0c01.SECRET\n", "token")

    config = loaded(tmp_path, EVERYTHING, {"HOME": "/home/me", "TZ": "Asia/Tokyo"})

    source, endpoint = config.sources[0], config.endpoint
    assert (config.state_dir, config.zone, config.path) == (tmp_path / "state", "Asia/Tokyo", tmp_path / "agent.yaml")
    assert (endpoint.url, endpoint.host) == (
        "https://abc.live.dynatrace.com/api/v2/logs/ingest", "abc.live.dynatrace.com")  # fmt: skip
    assert (endpoint.authorization, endpoint.compresses) == ("Api-Token dt0c01.SECRET", False)
    assert (endpoint.target_request_bytes, endpoint.max_request_bytes) == (524_288, 1_000_000)
    assert (endpoint.flush_interval_seconds, endpoint.timeout_seconds) == (0.05, 90.0)
    assert (endpoint.retry.initial_seconds, endpoint.retry.max_seconds, endpoint.too_old) == (0.5, 120.0, "dead_letter")
    assert (endpoint.event_limits.content_bytes, endpoint.event_limits.value_bytes) == (4096, 250)
    assert (config.limits.memory_bytes, config.limits.spill_bytes, config.limits.ledger_seconds) == (
        32 << 20,
        0,
        86_400,
    )
    assert (config.limits.scan_seconds, config.limits.open_files) == (0.5, 64)
    assert (config.dead_letters.max_bytes, config.dead_letters.when_full) == (1 << 20, "drop_oldest")
    assert config.monitoring == Monitoring(port=14498, host="::1", self_events_seconds=60.0)
    assert config.attributes == {"dt.security_context": "shop", "build": "17"}
    assert source.paths == (f"{tmp_path}/logs/**/*.log", "/home/me/*.log")
    assert source.exclude == ("*.debug.log", f"{tmp_path}/logs/old/*", "/**/tmp/*")
    assert (source.start_at, source.ignore_older_seconds, source.encoding) == ("end", 604_800.0, "latin-1")
    assert source.severity.map == {"W": "warn", "5": "error"}
    assert source.static_attributes == {"cost": "5$"}
    assert source.path_attributes == {"service.name": "${1}", "path": "${0}"}
    assert (source.poll, source.rate_limit_bytes, source.record_id, source.binary) == (5.0, 1 << 20, True, "always")


def test_what_is_not_given_is_the_safe_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, "sources: [{name: a, paths: [/a.log]}]", {"XDG_STATE_HOME": "/x"})

    source, endpoint = config.sources[0], config.endpoint
    assert (endpoint.url, endpoint.embedded) == ("http://127.0.0.1:14499/v2/logs/ingest", False)
    assert (endpoint.authorization, endpoint.compresses, endpoint.too_old) == (None, False, "restamp")
    assert endpoint.event_limits.content_bytes == 65_536
    assert (source.start_at, source.format, source.encoding, source.binary) == ("beginning", "auto", "auto", "skip")
    assert (source.rate_limit_bytes, source.ignore_older_seconds, source.poll) == (0, None, "auto")
    assert config.dead_letters.when_full == "stop"
    assert config.monitoring == Monitoring(port=0, host="127.0.0.1", self_events_seconds=0.0)


@pytest.mark.parametrize("name", WRONG)
def test_everything_that_is_wrong_is_said_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, WRONG[name].file)

    with pytest.raises(ConfigError) as refused:
        load(path.relative_to(tmp_path), {})

    assert [text.replace(str(tmp_path), "{folder}") for text in refused.value.problems] == WRONG[name].says
    assert refused.value.exit_code == 78


def test_the_table_of_wrong_configurations_is_long_enough() -> None:
    assert len(WRONG) >= 40


def test_a_wrong_file_among_the_included_is_named_with_its_own_lines(tmp_path: Path) -> None:
    write(tmp_path, "sources:\n  - {name: b, paths: [b.log], encoding: utf-9}\n", "conf.d/b.yaml")
    write(tmp_path, "sources:\n  - {name: a, paths: [/c.log]}\nlimits: {}\n", "conf.d/c.yaml")

    problems = said(tmp_path, "include: [conf.d/*.yaml]\nsources: [{name: a, paths: [/a.log]}]\nlimit: {}\n")

    assert problems == [
        "agent.yaml:3: limit: unknown key 'limit'; did you mean 'limits'?",
        "conf.d/b.yaml:2: sources[0].encoding: unknown encoding 'utf-9'; "
        "write auto or the name of a Python text codec such as latin-1",
        "conf.d/c.yaml:2: sources[0].name: 'a' is the name of another source (agent.yaml:2: sources[0].name); "
        "choose another",
        "conf.d/c.yaml:3: limits: unknown key 'limits'; known are sources",
    ]


def test_included_sources_come_after_the_files_own_and_start_at_their_own_folder(tmp_path: Path) -> None:
    write(tmp_path, "sources: [{name: b, paths: [b.log]}]", "conf.d/b.yaml")
    write(tmp_path, "sources: [{name: c, paths: [c.log]}]", "conf.d/c.yaml")

    config = loaded(tmp_path, "include: [conf.d/*.yaml, none.d/*.yaml]\nsources: [{name: a, paths: [a.log]}]")

    assert [source.paths for source in config.sources] == [
        (f"{tmp_path}/a.log",), (f"{tmp_path}/conf.d/b.log",), (f"{tmp_path}/conf.d/c.log",)]  # fmt: skip


def test_a_file_does_not_include_itself(tmp_path: Path) -> None:
    write(tmp_path, "sources: [{name: b, paths: [/b.log]}]", "b.yaml")
    (tmp_path / "c.yaml").mkdir()

    config = loaded(tmp_path, "include: ['*.yaml', '**/agent.yaml']\nsources: [{name: a, paths: [/a.log]}]")

    assert [source.name for source in config.sources] == ["a", "b"]


def test_an_included_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").symlink_to("nowhere")

    assert said(tmp_path, "include: [b.*]\nsources: [{name: a, paths: [/a.log]}]") == [
        "b.yaml:1: it cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("text", "environ", "url"),
    [
        ("${URL}", {"URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1/v2/logs/ingest"),
        ("${URL:-http://[::1]:2}", {}, "http://[::1]:2/v2/logs/ingest"),
        ("${URL:-http://[::1]:2}", {"URL": ""}, "http://[::1]:2/v2/logs/ingest"),
        ("http://${HOST}:${PORT}/", {"HOST": "localhost", "PORT": "3"}, "http://localhost:3/v2/logs/ingest"),
        ("${file:url.txt}", {}, "http://127.0.0.1:4/v2/logs/ingest"),
        ("${A}", {"A": "http://127.0.0.1:5/?x=${B}"}, "http://127.0.0.1:5/v2/logs/ingest?x=${B}"),
    ],
)
def test_references_are_filled_in_once(text: str, environ: dict[str, str], url: str, tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:4\n", "url.txt")

    config = loaded(tmp_path, f"endpoint: {{url: '{text}'}}\nsources: [{{name: a, paths: [/a]}}]", environ)

    assert config.endpoint.url == url


def test_a_reference_takes_the_type_that_its_key_asks_for(tmp_path: Path) -> None:
    text = (
        "endpoint:\n  concurrency: ${N}\n  timeout: ${T:-3s}\nsources:\n- name: a\n  paths: [/a]\n  record_id: ${R}\n"
    )

    config = loaded(tmp_path, text, {"N": "7", "R": "true"})

    assert (config.endpoint.concurrency, config.endpoint.timeout_seconds, config.sources[0].record_id) == (7, 3.0, True)


def test_what_a_reference_stands_for_is_never_shown(tmp_path: Path) -> None:
    text = (
        "endpoint:\n  concurrency: ${N}\n  url: ${N}\n  gzip: ${N}\nlimits: {memory: '${N}'}\nstate_dir: [$N, '${N}']\n"
    )

    problems = said(tmp_path, text, {"N": "s3cret"})

    assert len(problems) == 5
    assert [problem for problem in problems if "s3cret" in problem] == []


@pytest.mark.parametrize("depth", [40, 500, 5_000, 200_000])
@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_what_is_nested_too_deeply_is_refused(opening: str, depth: int, tmp_path: Path) -> None:
    closing = "]" if opening == "[" else "}"

    problems = said(tmp_path, f"state_dir: {opening * depth}{closing * depth}\n")

    assert "agent.yaml:1: is nested too deeply" in problems


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "x: &d {name: a}\nsources: [{<<: *d, paths: [/a]}]\n"])
def test_anchors_are_no_way_round_unknown_keys(text: str, tmp_path: Path) -> None:
    assert "unknown key" in said(tmp_path, text)[0]


def test_merged_keys_give_way_to_written_ones(tmp_path: Path) -> None:
    text = "sources:\n- &a {name: a, paths: [/a], encoding: latin-1}\n- {<<: *a, name: b, paths: [/b]}\n"

    second = loaded(tmp_path, text).sources[1]

    assert (second.name, second.paths, second.encoding) == ("b", ("/b",), "latin-1")


def test_the_first_default_place_that_exists_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "")

    assert find(None) == Path("agent.yaml")
    assert find(Path("other.yaml")) == Path("other.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "1: it cannot be read: No such file or directory"),
        (b"\xff\xfe\x00", "1: it is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_wrong_configuration(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "agent.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        load(path, {})

    assert refused.value.problems == [f"{path}:{message}"]
