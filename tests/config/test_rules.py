"""A source and its preset become a rule: what is over what."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import Config, Preset, load, rules
from shipper.core.rule import MaskRule, RecordFormat, Rule, TooOld

PRESET = Preset(
    name="mine",
    patterns=(r"(?P<when>\S+) (?P<lvl>\S+) (?P<rest>.*)", r"(?P<lvl>\S+)"),
)


def rule(folder: Path, keys: str, top: str = "", presets: dict[str, Preset] | None = None) -> Rule:
    path = folder / "agent.yaml"
    path.write_text(f"{top}\nsources:\n- name: a\n  paths: [/x/*/y.log]\n  " + keys.replace("\n", "\n  ") + "\n")
    config = load(path, {"TZ": "Asia/Tokyo"})
    return rules(config, config.sources[0], presets or {}, "web01")


def preset(folder: Path, text: str) -> None:
    (folder / "formats.d").mkdir()
    (folder / "formats.d" / "mine.yaml").write_text(text)


MINE = r"""
name: mine
pattern: '(?P<when>\S+) (?P<lvl>\S+) (?P<other>\S+)'
timestamp: {field: when, formats: [epoch_s], timezone: Europe/Vienna}
severity: {field: lvl, map: {x: alert, y: info}, rules: [{match: boom, severity: critical}], default: info}
multiline: {start: '\d', max_lines: 7, timeout: 5s}
"""


def of_mine(folder: Path, keys: str) -> Rule:
    from shipper.config import load_presets  # noqa: PLC0415 -- after the file is there

    preset(folder, MINE)
    presets = load_presets([folder / "formats.d"])
    return rule(folder, "format: mine\n" + keys, presets=presets)


def test_a_preset_says_what_the_source_does_not(tmp_path: Path) -> None:
    made = of_mine(tmp_path, "record_id: true")

    assert (made.layout, made.format, made.source) == ("mine", RecordFormat.PATTERN, "a")
    assert (made.stamp.field, made.stamp.formats, made.stamp.zone) == ("when", ("epoch_s",), "Europe/Vienna")
    assert (made.severity.field, made.severity.default) == ("lvl", "info")
    assert made.multiline is not None
    assert (made.multiline.start, made.multiline.max_lines, made.multiline.timeout_ms) == (r"\d", 7, 5000)


def test_the_sources_own_keys_are_over_its_presets(tmp_path: Path) -> None:
    made = of_mine(
        tmp_path,
        "timestamp: {field: other, formats: [rfc3339], timezone: UTC}\n"
        "severity: {field: other, map: {X: debug}, rules: [{match: bang, severity: alert}], default: WARN}\n"
        "multiline: {max_lines: 3}".replace("WARN", "warn"),
    )

    assert (made.stamp.field, made.stamp.formats, made.stamp.zone) == ("other", ("rfc3339",), "UTC")
    assert made.severity.words == {"x": "debug", "y": "info"}
    assert made.severity.rules == (("bang", "alert"), ("boom", "critical"))
    assert made.severity.default == "warn"
    assert made.multiline is not None
    assert (made.multiline.start, made.multiline.max_lines) == (r"\d", 3)


@pytest.mark.parametrize("name", ["raw", "json", "logfmt", "cri", "docker"])
def test_a_format_of_its_own_needs_no_preset(name: str, tmp_path: Path) -> None:
    made = rule(tmp_path, f"format: {name}")

    assert (made.layout, made.format.value, made.patterns, made.candidates) == (name, name, (), ())


def test_the_pattern_of_a_container_reads_its_inner_message(tmp_path: Path) -> None:
    made = rule(tmp_path, "format: cri\npattern: '(?P<level>[A-Z])'")

    assert (made.format, made.patterns) == (RecordFormat.CRI, ("(?P<level>[A-Z])",))


def test_automatic_has_every_candidate_with_the_sources_own_keys(tmp_path: Path) -> None:
    made = rule(tmp_path, "drop: [x]\ntimestamp: {field: when}", presets={"mine": PRESET})

    assert made.format is RecordFormat.AUTO
    assert [one.layout for one in made.candidates][0] == "mine"  # noqa: RUF015 -- reads as the list it is
    assert {"json", "logfmt", "raw"} <= {one.layout for one in made.candidates}
    assert {one.drop for one in made.candidates} == {("x",)}
    # Only a candidate that has such a group looks there.
    assert {one.layout for one in made.candidates if one.stamp.field == "when"} >= {"mine", "json"}
    assert "generic" not in {one.layout for one in made.candidates if one.stamp.field == "when"}


def test_the_rest_comes_from_the_whole_configuration(tmp_path: Path) -> None:
    top = "endpoint: {too_old: drop, max_content_bytes: 1KiB}\nattributes: {team: shop, stage: test}"

    made = rule(
        tmp_path, "format: raw\nencoding: Latin1\nattributes: {stage: prod, app: '${1}'}\n"
        "mask: [{pattern: a}, {pattern: b, replace: ''}]", top,
    )  # fmt: skip

    assert (made.too_old, made.limits.content_bytes, made.encoding) == (TooOld.DROP, 1024, "iso8859-1")
    assert made.attributes == {"host.name": "web01", "dt.ingest.origin": "shipper", "team": "shop", "stage": "prod"}
    assert made.masks == (MaskRule("a", "****"), MaskRule("b", ""))
    assert made.stamp.zone == "Asia/Tokyo"


def test_the_host_can_be_named_by_the_operator(tmp_path: Path) -> None:
    assert rule(tmp_path, "format: raw", "attributes: {host.name: other}").attributes["host.name"] == "other"
    assert "host.name" not in rule(tmp_path, "attributes: {host.name: '${1}'}").attributes


def test_a_stamp_at_the_start_begins_a_record_where_no_pattern_says_more(tmp_path: Path) -> None:
    plain = rule(tmp_path, "format: raw\nmultiline: {start: timestamp}").multiline
    own = rule(tmp_path, "pattern: '(?P<timestamp>x)'\nmultiline: {start: timestamp}").multiline

    assert plain is not None
    assert plain.start is not None
    assert (plain.start_at_stamp, own and own.start_at_stamp, own and own.start) == (False, True, None)


def test_a_configuration_knows_its_own_presets(tmp_path: Path) -> None:
    preset(tmp_path, MINE)
    path = tmp_path / "agent.yaml"
    path.write_text("sources: [{name: a, paths: [/x], format: mine}]")

    config: Config = load(path, {})

    assert config.preset_dirs == (tmp_path / "formats.d",)
