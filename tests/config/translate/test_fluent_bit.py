"""Fluent Bit: included files, parsers of several lines, and filters for the inputs that they match."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.translate.translating import loaded, loaded_one, note_of, translated

PARSERS = r"""
[PARSER]
    Name shop
    Format regex
    Regex ^(?<time>\S+) (?<message>.*)$
    Time_Key time
    Time_Format %Y-%m-%dT%H:%M:%S
[PARSER]
    Name docker
    Format json
    Time_Key time
[MULTILINE_PARSER]
    name trace
    type regex
    flush_timeout 1500
    rule "start_state" "/^\d{4}-/" "cont"
    rule "cont" "/^\s+at/" "cont"
[MULTILINE_PARSER]
    name indented
    type regex
    rule "start_state" "/.*/" "cont"
    rule "cont" "/^\s/" "cont"
"""
TAIL = "[INPUT]\n    Name tail\n    Tag shop.web\n    Path /a.log\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parsers.conf").write_text(PARSERS, encoding="utf-8")
    return tmp_path


def classic(*lines: str, service: str = "Parsers_File parsers.conf") -> str:
    return "\n".join(["[SERVICE]", f"    {service}", TAIL, *(f"    {line}" for line in lines)])


def filtered(name: str, match: str, *lines: str, inputs: str = TAIL) -> str:
    return "\n".join([inputs, "[FILTER]", f"    Name {name}", f"    Match {match}", *(f"    {line}" for line in lines)])


def test_a_parsers_file_is_read(folder: Path) -> None:
    text = classic("Parser shop")

    source = loaded_one(folder, "fluent-bit.conf", text)

    assert (source.pattern, source.timestamp.field) == (r"^(?P<time>\S+) (?P<message>.*)$", "time")
    assert note_of(translated(folder, "fluent-bit.conf", text), "parsers.conf").kind == "translated"


def test_every_value_of_an_included_file_has_a_note(folder: Path) -> None:
    notes = translated(folder, "fluent-bit.conf", classic("Parser shop")).notes

    of_parsers = [note.line for note in notes if note.file.endswith("parsers.conf")]
    assert of_parsers == [n for n, line in enumerate(PARSERS.splitlines(), 1) if line.startswith(" ")]


def test_a_file_that_is_not_there_is_noted(tmp_path: Path) -> None:
    note = note_of(translated(tmp_path, "fluent-bit.conf", classic()), "parsers.conf")

    assert note.kind == "untranslated"


def test_included_inputs_are_sources(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    for name in "ab":
        text = f"[INPUT]\n    Name tail\n    Alias {name}\n    Path ${{ROOT}}/{name}.log\n@INCLUDE ../main.conf\n"
        (tmp_path / "conf.d" / f"{name}.conf").write_text(text, encoding="utf-8")

    found = loaded(tmp_path, "main.conf", "@SET ROOT=/srv\n@INCLUDE conf.d/*.conf\n")

    assert [(name, source.paths) for name, source in found.items()] == [("a", ("/srv/a.log",)), ("b", ("/srv/b.log",))]


def test_the_yaml_form_includes_too(tmp_path: Path) -> None:
    (tmp_path / "parsers.yaml").write_text(
        "parsers: [{name: own, format: regex, regex: '^(?<id>.)'}]\n"
        r"multiline_parsers: [{name: m, type: regex, rules: [{state: start_state, regex: '/^\d/', next_state: c}]}]",
        encoding="utf-8",
    )
    (tmp_path / "inputs.yaml").write_text(
        "pipeline: {inputs: [{name: tail, path: '${ROOT}/a.log', parser: own, multiline.parser: m}]}", encoding="utf-8"
    )
    text = "env: {ROOT: /srv}\nservice: {parsers_file: parsers.yaml}\nincludes: [inputs.yaml]"

    source = loaded_one(tmp_path, "fluent-bit.yaml", text)

    assert (source.paths, source.pattern) == (("/srv/a.log",), "^(?P<id>.)")
    assert source.multiline is not None
    assert source.multiline.start == r"^\d"


def test_what_no_file_sets_comes_from_the_environment(tmp_path: Path) -> None:
    text = TAIL.replace("/a.log", "/srv/${NAME}.log") + filtered("modify", "*", "Add host ${HOST}", inputs="")

    source = loaded_one(tmp_path, "a.conf", text, NAME="x", HOST="h")

    assert (source.paths, source.attributes) == (("/srv/x.log",), {"host": "h"})


@pytest.mark.parametrize(
    ("lines", "start", "goes_on", "seconds"),
    [
        pytest.param(["multiline.parser trace"], r"^\d{4}-", None, 1.5, id="start"),
        pytest.param(["multiline.parser indented"], None, r"^\s", None, id="anything_starts"),
        pytest.param(
            ["Multiline On", "Multiline_Flush 5", "Parser_Firstline shop"], r"^(?P<time>\S+) (?P<message>.*)", None, 5,
            id="of_old",
        ),
    ],
)  # fmt: skip
def test_lines_are_joined(
    folder: Path, lines: list[str], start: str | None, goes_on: str | None, seconds: float | None
) -> None:
    multiline = loaded_one(folder, "fluent-bit.conf", classic(*lines)).multiline

    assert multiline is not None
    assert (multiline.start, multiline.continue_, multiline.timeout_seconds) == (start, goes_on, seconds)


def test_a_rule_that_only_ends_a_record_is_noted(folder: Path) -> None:
    notes = translated(folder, "fluent-bit.conf", classic("multiline.parser trace")).notes

    assert [note.kind for note in notes if note.was.startswith('"')][:2] == ["translated", "differs"]


@pytest.mark.parametrize(
    ("parser", "expected"), [("docker", "docker"), ("cri", "cri"), ("docker, cri", "auto"), ("docker, java", "docker")]
)
def test_containers(folder: Path, parser: str, expected: str) -> None:
    assert loaded_one(folder, "a.conf", classic(f"multiline.parser {parser}")).format == expected


@pytest.mark.parametrize(
    ("match", "lines", "keep", "drop"),
    [
        pytest.param("*", ["Regex log ERROR"], ("ERROR",), (), id="keep"),
        pytest.param("shop.*", ["Exclude log ^D", "Exclude $log ^T"], (), ("^D", "^T"), id="any_exclude"),
        pytest.param("*", ["Regex log a", "Regex log b"], (), (), id="all_must_match"),
        pytest.param("*", ["Logical_Op or", "Regex log a", "Regex log b"], ("a", "b"), (), id="either"),
        pytest.param("*", ["Logical_Op and", "Exclude log a", "Exclude log b"], (), (), id="all_exclude"),
        pytest.param("*", ["Regex level ERROR"], (), (), id="another_key"),
        pytest.param("other.*", ["Regex log ERROR"], (), (), id="another_input"),
    ],
)
def test_grep(tmp_path: Path, match: str, lines: list[str], keep: tuple[str, ...], drop: tuple[str, ...]) -> None:
    source = loaded_one(tmp_path, "a.conf", filtered("grep", match, *lines))

    assert (source.keep, source.drop) == (keep, drop)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param(TAIL + "    Parser nginx\n", "at one key", id="parsed"),
        pytest.param(TAIL.replace("shop.web", "shop.*"), "at run time", id="tag_is_made_at_run_time"),
        pytest.param(filtered("lua", "*", "call x"), "at one key", id="changed_before"),
    ],
)
def test_a_grep_that_may_see_something_else_is_noted(tmp_path: Path, before: str, reason: str) -> None:
    text = filtered("grep", "shop.web", "Regex log ERROR", inputs=before)

    assert reason in note_of(translated(tmp_path, "a.conf", text), "log ERROR").text
    assert loaded_one(tmp_path, "a.conf", text).keep == ()


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("record_modifier", ["Record team web", "Record level gold"], {"team": "web", "app.level": "gold"}),
        ("modify", ["Add team web shop", "Set a b"], {"team": "web shop", "a": "b"}),
        ("modify", ["Add team web", "Condition Key_exists x"], {}),
    ],
)
def test_added_records_are_attributes(tmp_path: Path, kind: str, lines: list[str], expected: dict[str, str]) -> None:
    assert loaded_one(tmp_path, "a.conf", filtered(kind, "*", *lines)).attributes == expected


def test_every_filter_is_accounted_for(tmp_path: Path) -> None:
    text = filtered("grep", "*", "Regex log a") + "\n" + filtered("geoip2", "*", "Database /x", inputs="")

    notes = translated(tmp_path, "a.conf", text).notes

    assert [note.line for note in notes] == [2, 3, 4, 7, 8, 9, 12, 13, 14]
    assert [note.kind for note in notes][3:] == ["translated"] * 3 + ["untranslated"] * 3
