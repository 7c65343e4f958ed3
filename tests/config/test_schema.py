"""The JSON Schema says what `load` says of keys and types, and agent.yaml keeps up with the model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from shipper.config import load
from shipper.config.schema import document_schema
from tests.config.test_load import EVERYTHING
from tests.config.wrong_configurations import WRONG

EXAMPLE = Path(__file__).parent.parent.parent / "agent.yaml"
SCHEMA = document_schema()
VALID = Draft202012Validator(SCHEMA)

RIGHT = {
    "least": "sources: [{name: a, paths: [/a]}]",
    "references": "endpoint: {concurrency: '${N}', embedded: '${E:-true}', gzip: '${G}', timeout: '${T}'}\n"
    "sources: [{name: a, paths: [/a], record_id: '${R}'}]",
    "bare_numbers": "attributes: {build: 17, on: true}\nsources: [{name: 5, paths: [/a], encoding: 437}]",
    "zero_needs_no_unit": "limits: {spill: 0, ledger: 0}\nsources: [{name: a, paths: [/a], rate_limit: 0}]",
    "empty_values": "endpoint:\nlimits:\n"
    "sources: [{name: a, paths: [/a], timestamp: , severity: {default: }, multiline: }]",
    "switches": "endpoint: {gzip: on}\nsources: [{name: a, paths: [/a], poll: always, record_id: no}]",
    "merged": "sources: [&a {name: a, paths: [/a]}, {<<: *a, name: b, paths: [/b]}]",
    "tests": "sources: [{name: a, paths: [/a], tests: [{line: x, expect: {attributes: {a: 1, b: }, records: 1}}]}]",
    "everything": EVERYTHING,
}
ENVIRON = {"N": "4", "G": "off", "T": "5s", "R": "true", "HOME": "/home/me"}


def as_json(text: str) -> object:
    return json.loads(json.dumps(yaml.safe_load(text)))


def test_the_schema_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", [name for name, wrong in WRONG.items() if wrong.schema == "refuses"])
def test_a_wrong_key_or_type_is_refused_by_the_schema_too(name: str) -> None:
    assert not VALID.is_valid(as_json(WRONG[name].file))


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_loaded_is_taken_by_the_schema(name: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(RIGHT[name])
    (tmp_path / "token").write_text("x")

    assert load(path, ENVIRON).sources
    assert list(VALID.iter_errors(as_json(RIGHT[name]))) == []


def keys(node: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(node, dict):
        for name, value in node.get("properties", {}).items():
            yield name, value
        for value in node.values():
            yield from keys(value)


def test_every_key_is_described() -> None:
    assert [name for name, value in keys(SCHEMA) if not str(value.get("description", "")).endswith((".", "path"))] == []


def test_defaults_are_shown_as_they_are_written() -> None:
    shown = {name: value["default"] for name, value in keys(SCHEMA) if "default" in value}

    assert shown["flush_interval"] == "1s"
    assert shown["memory"] == "64MiB"
    assert shown["ledger"] == "7d"
    assert shown["rate_limit"] == "0"
    assert shown["concurrency"] == 4


def test_the_example_is_loaded_and_taken_by_the_schema() -> None:
    config = load(EXAMPLE, {"HOME": "/home/me"})

    assert config.endpoint.embedded
    assert config.endpoint.url == "http://127.0.0.1:14499/v2/logs/ingest"
    assert {"samples", "var-log"} <= {source.name for source in config.sources}
    assert list(VALID.iter_errors(as_json(EXAMPLE.read_text()))) == []


def test_the_example_mentions_every_key() -> None:
    text = EXAMPLE.read_text()
    # A test's own keys are shown by example; what is rare in it is in the documentation.
    rare = {"content", "records", "written"}

    assert sorted({name for name, _ in keys(SCHEMA) if not re.search(rf"\b{name}:", text)} - rare) == []


def test_the_example_works_with_everything_in_it_made_active(tmp_path: Path) -> None:
    """The keys in comments are right too: each is a key, and its value is one."""
    lines = EXAMPLE.read_text().splitlines()
    active = [re.sub(r"^(\s*)#(?=\w|- |  )", r"\1", line) for line in lines]
    (tmp_path / "agent.yaml").write_text("\n".join(active).replace("/etc/shipper/token", "token"))
    (tmp_path / "token").write_text("dt0c01.X")

    assert "state_dir: /var/lib/shipper" in active
    assert load(tmp_path / "agent.yaml", {}).sources[-1].tests[1].expect.left_out == "drop"
