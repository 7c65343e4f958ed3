"""Vector's programs that only parse the message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.translate.translating import loaded_one, note_of, translated

CONFIG = """
sources: {shop: {type: file, include: [/var/log/shop.log]}}
transforms:
  parse:
    type: remap
    inputs: [%s]
    source: |
      %s
sinks: {out: {type: console, inputs: [parse]}}
"""


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (". = parse_json!(.message)", "json"),
        (". |= parse_json!(string!(.message))", "json"),
        (".parsed = parse_logfmt!(.message)", "logfmt"),
        ('. = parse_nginx_log!(.message, "error")', "nginx_error"),
        ('. = parse_nginx_log!(.message, format: "combined")', "auto"),
        ('. = parse_apache_log!(.message, format: "error")', "apache_error"),
        (". = parse_klog!(.message)", "klog"),
        (". = parse_json(.message) ?? {}", "json"),
    ],
)
def test_a_program_that_only_parses_the_message_is_a_format(tmp_path: Path, program: str, expected: str) -> None:
    assert loaded_one(tmp_path, "vector.yaml", CONFIG % ("shop", program)).format == expected


def test_a_program_that_matches_a_pattern_is_that_pattern(tmp_path: Path) -> None:
    source = loaded_one(tmp_path, "vector.yaml", CONFIG % ("shop", r". |= parse_regex!(.message, r'^(?P<a>\d+) ')"))

    assert source.pattern == r"^(?P<a>\d+) "


@pytest.mark.parametrize(
    ("inputs", "program"),
    [
        ("other", ". = parse_json!(.message)"),
        ("shop", ". = parse_json!(.other)"),
        ("shop", '. = parse_json!(.message); del(.a)'),
        ("shop", r". |= parse_regex!(.message, r'(?P<a>\p{Greek})')"),
        ("shop", ". = parse_xml!(.message)"),
    ],
)  # fmt: skip
def test_any_other_program_is_noted(tmp_path: Path, inputs: str, program: str) -> None:
    translation = translated(tmp_path, "vector.yaml", CONFIG % (inputs, program))

    assert "format" not in translation.yaml
    assert "pattern" not in translation.yaml
    (note,) = [note for note in translation.notes if note.key == "transforms.parse.source"]
    assert note.kind == "untranslated"


def test_a_translated_program_is_noted_as_different(tmp_path: Path) -> None:
    translation = translated(tmp_path, "vector.yaml", CONFIG % ("shop", ". = parse_json!(.message)"))

    assert [note.kind for note in translation.notes if note.key == "transforms.parse.source"] == ["differs"]
    assert note_of(translation, "/var/log/shop.log").kind == "translated"
