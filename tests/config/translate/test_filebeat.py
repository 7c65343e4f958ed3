"""Filebeat's files that others include, and the processors that have an equivalent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config.translate import translate
from shipper.config.translate.filebeat_processors import dissect_pattern
from shipper.errors import UsageError
from tests.config.translate.translating import loaded, loaded_one, note_of, translated

ONE_INPUT = "filebeat.inputs: [{type: filestream, id: shop, paths: [/var/log/shop.log]%s}]\n"


def test_the_files_of_modules_d_and_inputs_d_are_taken_along(tmp_path: Path) -> None:
    for folder in ("modules.d", "inputs.d"):
        (tmp_path / folder).mkdir()
    (tmp_path / "modules.d" / "nginx.yml").write_text(
        "- {module: nginx, access: {enabled: true}, error: {enabled: false}}"
    )
    (tmp_path / "modules.d" / "kafka.yml.disabled").write_text("- {module: kafka, log: {enabled: true}}")
    (tmp_path / "inputs.d" / "a.yml").write_text("- {type: log, paths: [/var/log/a.log]}")

    sources = loaded(
        tmp_path, "filebeat.yml",
        "filebeat.config.modules: {path: '${path.config}/modules.d/*.yml', reload.enabled: false}\n"
        "filebeat.config.inputs: {enabled: true, path: inputs.d/*.yml}\n",
    )  # fmt: skip

    assert {name: (source.format, source.paths) for name, source in sources.items()} == {
        "log-1": ("auto", ("/var/log/a.log",)),
        "nginx-access": ("nginx_access", ("/var/log/nginx/access.log*",)),
    }


def test_a_file_of_modules_d_or_inputs_d_alone_is_translated_too(tmp_path: Path) -> None:
    assert loaded_one(tmp_path, "nginx.yml", "- {module: nginx, access: {enabled: true}}").format == "nginx_access"
    assert loaded_one(tmp_path, "a.yml", "- {type: log, paths: [/var/log/a.log]}").paths == ("/var/log/a.log",)


def test_folders_that_are_not_there_are_named_with_what_helps(tmp_path: Path) -> None:
    text = ONE_INPUT % "" + "filebeat.config.modules: {path: '/nowhere/modules.d/*.yml'}\n"

    note = note_of(translated(tmp_path, "filebeat.yml", text), "/nowhere/modules.d/*.yml")

    assert (note.kind, "copy it there" in note.text) == ("untranslated", True)


def test_what_stands_at_the_top_holds_for_every_input_and_an_input_has_the_last_word(tmp_path: Path) -> None:
    text = ONE_INPUT % ", fields: {team: web}, tags: [a]" + (
        "fields: {team: all, env: prod}\ntags: [b]\nprocessors: [{add_fields: {target: '', fields: {site: vie}}}]\n"
    )

    assert loaded_one(tmp_path, "filebeat.yml", text).attributes == {
        "fields.team": "web", "fields.env": "prod", "tags": "a,b", "site": "vie",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("processor", "key", "value"),
    [
        ("add_fields: {fields: {a: x}}", "attributes", {"fields.a": "x"}),
        ("add_fields: {target: shop, fields: {a: {b: x}}}", "attributes", {"shop.a.b": "x"}),
        ("add_labels: {labels: {a: x}}", "attributes", {"labels.a": "x"}),
        ("add_tags: {tags: [x, y]}", "attributes", {"tags": "x,y"}),
        ("decode_json_fields: {fields: [message], target: ''}", "format", "json"),
        ("drop_event: {when: {contains: {message: 'a.b'}}}", "drop", (r"a\.b",)),
        ("drop_event: {when: {or: [{regexp: {message: '^x'}}, {contains: {message: y}}]}}", "drop", ("^x", "y")),
    ],
)  # fmt: skip
def test_a_processor_becomes_a_key(tmp_path: Path, processor: str, key: str, value: object) -> None:
    source = loaded_one(tmp_path, "filebeat.yml", ONE_INPUT % f", processors: [{{{processor}}}]")

    assert getattr(source, key) == value


def test_dissect_becomes_a_pattern_and_its_key_can_be_the_time(tmp_path: Path) -> None:
    source = loaded_one(
        tmp_path, "filebeat.yml",
        ONE_INPUT % ", processors: [{dissect: {tokenizer: '%{at} [%{level}] %{?x}: %{what}', field: message}},"
        " {timestamp: {field: dissect.at, layouts: ['2006-01-02T15:04:05.000', Unix], timezone: Europe/Vienna}}]",
    )  # fmt: skip

    assert source.pattern is not None
    match = re.match(source.pattern, "2026-01-31T10:00:00.123 [WARN] db: slow [7]")
    assert match is not None
    assert match.groupdict() == {
        "dissect__at": "2026-01-31T10:00:00.123", "dissect__level": "WARN", "dissect__what": "slow [7]",
    }  # fmt: skip
    assert source.timestamp.field == "dissect__at"
    assert source.timestamp.formats == ("%Y-%m-%dT%H:%M:%S.%f", "epoch_s")
    assert source.timestamp.timezone == "Europe/Vienna"


@pytest.mark.parametrize(
    ("processor", "was"),
    [
        ("dissect: {tokenizer: '%{a} %{+a}'}", "%{a} %{+a}"),
        ("dissect: {tokenizer: '%{a}%{b}'}", "%{a}%{b}"),
        ("dissect: {tokenizer: '%{a} %{b}', field: other}", "%{a} %{b}"),
        ("timestamp: {field: ts, layouts: [RFC3339]}", "RFC3339"),
        ("add_fields: {when: {has_fields: [a]}, fields: {b: c}}", "c"),
        ("script: {lang: javascript, source: x}", "x"),
    ],
)
def test_what_has_no_equivalent_is_noted(tmp_path: Path, processor: str, was: str) -> None:
    translation = translated(tmp_path, "filebeat.yml", ONE_INPUT % f", processors: [{{{processor}}}]")

    assert note_of(translation, was).kind == "untranslated"


PARTS = st.tuples(st.sampled_from("abc"), st.text("xyz0.-", min_size=1, max_size=4))


@given(
    st.lists(PARTS, min_size=1, max_size=3, unique_by=lambda one: one[0]),
    st.sampled_from([" ", " - ", "|", "] [", ": "]),
)
def test_a_dissected_text_is_taken_apart_as_it_was_put_together(parts: list[tuple[str, str]], between: str) -> None:
    pattern = dissect_pattern(between.join(f"%{{{name}}}" for name, _ in parts), "")
    text = between.join(value for _, value in parts)

    match = re.match(pattern, text) if pattern else None

    whole = all(between not in value + between[:-1] for _, value in parts)  # the first delimiter ends a key
    assert match is not None
    if whole:
        assert list(match.groupdict().items()) == parts


def test_a_configuration_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"filebeat\.yml: cannot be read: no such file"):
        translate(tmp_path / "filebeat.yml")
