"""A peer's configuration becomes one that loads, and every value of it is accounted for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shipper.config import load
from shipper.config.source_model import Source
from shipper.config.translate.patterns import python_pattern
from shipper.config.translate.promtail import stamp_format
from shipper.errors import UsageError
from tests.config.translate.translating import loaded, translated

FILEBEAT = r"""
filebeat.inputs:
  - type: filestream
    id: shop
    paths: [/var/log/shop/*.log, /var/log/shop.log]
    prospector.scanner.exclude_files: ['\.gz$']
    ignore_older: 72h
    encoding: utf-16-bom
    exclude_lines: ['^DEBUG', 'cost \$\${x}']
    parsers:
      - multiline: {type: pattern, pattern: '^\d{4}-', negate: true, match: after, timeout: 3s, max_lines: 200}
    fields: {team: web, level: gold}
    fields_under_root: true
    tags: [a, b]
    close.on_state_change.inactive: 5m
  - type: container
    paths: [/var/log/containers/*.log]
    multiline: {pattern: '\\$', negate: false, match: before}
  - {type: udp, host: "localhost:9000"}
filebeat.modules:
  - module: nginx
    access: {enabled: true}
    error: {enabled: true, var.paths: [/srv/nginx/error.log]}
processors: [{add_host_metadata: {netinfo.enabled: false}}]
output.elasticsearch: {hosts: ["https://elastic:pw@es:9200"], password: hidden}
"""
FLUENT_BIT = r"""
[SERVICE]
    Flush 1
[INPUT]
    Name tail
    Tag shop
    Path /var/log/shop.log, /var/log/shop2.log
    Exclude_Path *.gz
    Parser shop
    DB /var/lib/fb.db
    Read_from_Head On
[INPUT]
    Name cpu
[PARSER]
    Name shop
    Format regex
    Regex ^(?<time>[^ ]+ [^ ]+) (?<level>[[:alpha:]]+) (?<id>\h+) (?<log.msg>.*)$
    Time_Key time
    Time_Format %Y-%m-%d %H:%M:%S.%L
    Time_Offset +0200
[FILTER]
    Name grep
    Exclude log ^DEBUG
[OUTPUT]
    Name es
"""
FLUENT_BIT_YAML = """
service: {flush: 1}
pipeline:
  inputs:
    - {name: tail, path: /var/log/nginx/access.log, parser: nginx, tag: "web.*"}
  outputs: [{name: stdout, match: "*"}]
"""
PROMTAIL = r"""
server: {http_listen_port: 9080}
positions: {filename: /tmp/positions.yaml}
clients: [{url: "http://me:pw@loki:3100/loki/api/v1/push"}]
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: [localhost]
        labels: {job: shop, __path__: /var/log/shop/*.log}
    pipeline_stages:
      - multiline: {firstline: '^\d{4}', max_wait_time: 3s}
      - regex: {expression: '^(?P<ts>\S+) (?P<level>\w+) '}
      - timestamp: {source: ts, format: '2006-01-02T15:04:05.000Z07:00', location: Europe/Vienna}
      - drop: {expression: '.*healthz.*'}
      - metrics: {lines: {type: Counter}}
"""
VECTOR = r"""
data_dir = "/var/lib/vector"
[sources.shop]
type = "file"
include = ["/var/log/shop/*.log"]
exclude = ["/var/log/shop/*.gz"]
read_from = "end"
ignore_older_secs = 600
encoding.charset = "latin1"
[sources.shop.multiline]
start_pattern = '^[^\s]'
mode = "continue_through"
condition_pattern = '^[\s]+'
timeout_ms = 1000
[transforms.parse]
type = "remap"
inputs = ["shop"]
source = ". = parse_json!(.message)"
[sinks.out]
type = "console"
inputs = ["parse"]
"""
SAMPLES = {
    "filebeat.yml": FILEBEAT, "fluent-bit.conf": FLUENT_BIT, "fluent-bit.yaml": FLUENT_BIT_YAML,
    "promtail.yaml": PROMTAIL, "vector.toml": VECTOR,
}  # fmt: skip


def sources(folder: Path, name: str) -> dict[str, Source]:
    return loaded(folder, name, SAMPLES[name])


def leaves(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path


@pytest.mark.parametrize("name", ["filebeat.yml", "fluent-bit.yaml", "promtail.yaml", "vector.toml"])
def test_every_value_has_a_note(tmp_path: Path, name: str) -> None:
    read = tomllib.loads if name.endswith("toml") else yaml.safe_load

    notes = translated(tmp_path, name, SAMPLES[name]).notes

    assert sorted(note.key for note in notes) == sorted(leaves(read(SAMPLES[name])))


def test_every_line_of_a_classic_file_has_a_note(tmp_path: Path) -> None:
    with_keys = [n for n, line in enumerate(FLUENT_BIT.splitlines(), 1) if line.strip() and "[" not in line[:1]]

    notes = translated(tmp_path, "fluent-bit.conf", FLUENT_BIT).notes

    assert [note.line for note in notes] == with_keys


def test_filebeat_inputs_and_modules(tmp_path: Path) -> None:
    found = sources(tmp_path, "filebeat.yml")

    assert list(found) == ["shop", "container-2", "nginx-access", "nginx-error"]
    shop = found["shop"]
    assert shop.paths == ("/var/log/shop/*.log", "/var/log/shop.log")
    assert (shop.exclude, shop.encoding, shop.ignore_older_seconds) == (("*.gz",), "utf-16", 259_200)
    assert shop.drop == ("^DEBUG", r"cost \$\${x}")
    assert shop.multiline is not None
    assert (shop.multiline.start, shop.multiline.max_lines, shop.multiline.timeout_seconds) == (r"^\d{4}-", 200, 3)
    assert shop.attributes == {"team": "web", "app.level": "gold", "tags": "a,b"}
    assert (found["container-2"].format, found["container-2"].multiline) == ("cri", None)
    assert found["nginx-access"].format == "nginx_access"
    assert found["nginx-error"].paths == ("/srv/nginx/error.log",)


def test_fluent_bit_parser_becomes_the_pattern(tmp_path: Path) -> None:
    shop = sources(tmp_path, "fluent-bit.conf")["shop"]

    assert shop.pattern == r"^(?P<time>[^ ]+ [^ ]+) (?P<level>[A-Za-z]+) (?P<id>[0-9A-Fa-f]+) (?P<log__msg>.*)$"
    assert (shop.paths, shop.exclude) == (("/var/log/shop.log", "/var/log/shop2.log"), ("*.gz",))
    assert (shop.timestamp.field, shop.timestamp.formats) == ("time", ("%Y-%m-%d %H:%M:%S.%f",))
    assert (shop.timestamp.timezone, shop.start_at) == ("+0200", "beginning")


def test_fluent_bit_yaml_takes_the_preset(tmp_path: Path) -> None:
    (web,) = sources(tmp_path, "fluent-bit.yaml").values()

    assert (web.format, web.start_at) == ("nginx_access", "end")


def test_promtail_stages(tmp_path: Path) -> None:
    shop = sources(tmp_path, "promtail.yaml")["shop"]

    assert (shop.pattern, shop.drop) == (r"^(?P<ts>\S+) (?P<level>\w+) ", (".*healthz.*",))
    assert (shop.timestamp.field, shop.timestamp.formats) == ("ts", ("%Y-%m-%dT%H:%M:%S.%f%z",))
    assert shop.attributes == {"job": "shop"}
    assert shop.multiline is not None
    assert (shop.multiline.start, shop.multiline.timeout_seconds) == (r"^\d{4}", 3)


def test_vector_file_source(tmp_path: Path) -> None:
    shop = sources(tmp_path, "vector.toml")["shop"]

    assert (shop.start_at, shop.ignore_older_seconds, shop.encoding) == ("end", 600, "latin1")
    assert shop.multiline is not None
    assert (shop.multiline.continue_, shop.multiline.timeout_seconds) == (r"^[\s]+", 1)


@pytest.mark.parametrize("name", ["filebeat.yml", "promtail.yaml"])
def test_secrets_are_not_in_notes(tmp_path: Path, name: str) -> None:
    notes = translated(tmp_path, name, SAMPLES[name]).notes

    assert not [note for note in notes if "hidden" in note.was or ":pw@" in note.was]


@pytest.mark.parametrize("text", ["a: 1", "filebeat.inputs: [{type: udp}]", "[]", "a: [", ""])
def test_what_names_no_files_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        translated(tmp_path, "other.yml", text)


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        (r"(?i)err", "re2", r"(?i)err"),
        (r"[[:space:]x]\z", "re2", r"[\sx]\Z"),
        (r"\x{e9}", "rust", r"\U000000e9"),
        (r"(?<a-b>\h)\k<q>", "onigmo", None),
        (r"x(?i)y", "re2", None),
        (r"\p{L}", "re2", None),
    ],
)
def test_dialects(text: str, dialect: str, expected: str | None) -> None:
    try:
        found: str | None = python_pattern(text, dialect=dialect)
    except ValueError:
        found = None

    assert found == expected


def test_a_searched_pattern_may_begin_anywhere() -> None:
    assert python_pattern("^a|b", whole_record=True) == "(?s:.*?)(?:^a|b)"


@pytest.mark.parametrize(
    ("layout", "expected"), [("RFC3339Nano", "rfc3339"), ("02/Jan/2006:15:04:05 -0700", "%d/%b/%Y:%H:%M:%S %z")]
)
def test_go_layouts(layout: str, expected: str) -> None:
    assert stamp_format(layout) == expected


def test_a_path_takes_its_parts_from_the_environment(tmp_path: Path) -> None:
    text = "filebeat.inputs: [{type: log, paths: ['${ROOT:/srv}/a.log']}]"
    agent = tmp_path / "agent.yaml"
    agent.write_text(translated(tmp_path, "filebeat.yml", text).yaml, encoding="utf-8")

    assert load(agent, {}).sources[0].paths == ("/srv/a.log",)
    assert load(agent, {"ROOT": "/data"}).sources[0].paths == ("/data/a.log",)


def test_a_path_of_two_inputs_belongs_to_the_first(tmp_path: Path) -> None:
    text = "filebeat.inputs: [{type: log, id: a, paths: [/a.log]}, {type: log, id: a, paths: [/a.log, /b.log]}]"
    translation = translated(tmp_path, "filebeat.yml", text)
    agent = tmp_path / "agent.yaml"
    agent.write_text(translation.yaml, encoding="utf-8")

    found = {source.name: source.paths for source in load(agent, {}).sources}

    assert found == {"a": ("/a.log",), "a-2": ("/b.log",)}
    assert "differs" in {note.kind for note in translation.notes if note.was == "/a.log"}


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{regexp: {message: '^DBG'}}", ("^DBG",)),
        ("{contains: {message: 'a.b'}}", (r"a\.b",)),
        ("{or: [{regexp: {message: '^DBG'}}, {contains: {message: x}}]}", ("^DBG", "x")),
        ("{not: {regexp: {message: '^DBG'}}}", ()),
        ("{regexp: {other: '^DBG'}}", ()),
    ],
)
def test_a_dropped_event_is_a_dropped_record(tmp_path: Path, when: str, expected: tuple[str, ...]) -> None:
    text = f"filebeat.inputs: [{{type: log, paths: [/a.log], processors: [{{drop_event: {{when: {when}}}}}]}}]"
    agent = tmp_path / "agent.yaml"
    agent.write_text(translated(tmp_path, "filebeat.yml", text).yaml, encoding="utf-8")

    assert load(agent, {}).sources[0].drop == expected


@pytest.mark.parametrize(
    ("expression", "replace", "expected"),
    [(r"pin=(\d+)", "**", [(r"pin=(\d+)", "**")]), (r"(\d)(\d)", "*", []), (r"pin=(\d+)", "{{ .Value }}", [])],
)
def test_a_replaced_group_is_a_mask(
    tmp_path: Path, expression: str, replace: str, expected: list[tuple[str, str]]
) -> None:
    stage = f"{{replace: {{expression: '{expression}', replace: '{replace}'}}}}"
    job = f"{{job_name: a, static_configs: [{{labels: {{__path__: /a.log}}}}], pipeline_stages: [{stage}]}}"
    agent = tmp_path / "agent.yaml"
    agent.write_text(translated(tmp_path, "promtail.yaml", f"scrape_configs: [{job}]").yaml, encoding="utf-8")

    assert [(mask.pattern, mask.replace) for mask in load(agent, {}).sources[0].mask] == expected
