"""Promtail's `match` and `template`: what a source can say of them is taken, the rest is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shipper.config.translate import Note
from shipper.config.translate.promtail_match import Labels, Term, dropping, terms_of
from shipper.config.translate.promtail_template import cases_of
from tests.config.translate.translating import loaded, loaded_one, note_of, translated

JOB = """\
scrape_configs:
  - job_name: shop
    static_configs:
      - labels: {{app: shop, tier: "2", __path__: /var/log/shop/*.log}}
    pipeline_stages:
      - regex: {{expression: '^(?P<lvl>\\w+) (?P<rest>.*)'}}
{stages}
"""


def job(*stages: str) -> str:
    return JOB.format(stages="\n".join(f"      - {stage}" for stage in stages))


def notes(folder: Path, *stages: str) -> list[Note]:
    found = translated(folder, "promtail.yaml", job(*stages)).notes
    return [note for note in found if "pipeline_stages[1]" in note.key]


# -- match ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "drops", "keeps"),
    [
        (r'{app="shop"} |= "GET /healthz"', "INFO GET /healthz 200", "INFO GET /index 200"),
        (r'{app="shop"} |= "a.b"', "x a.b", "x a-b"),
        (r'{app=~"sh.*",tier!="1"} |~ `(?i)HEALTH[z]`', "GET /healthz", "GET /health"),
        (r'{app="shop"} != "ERROR"', "INFO all is well", "ERROR not well"),
        (r'{app="shop"} !~ "ERROR|WARN"', "INFO all is well", "WARN hm"),
        (r'{app="shop"} |= "probe" != "ERROR" !~ "status=5\\d\\d"', "INFO probe status=200", "INFO probe status=503"),
        (r'{missing=""} |= "probe"', "a probe", "no"),
    ],
)
def test_lines_that_a_match_drops_are_dropped(selector: str, drops: str, keeps: str, tmp_path: Path) -> None:
    text = job(f"match: {{selector: '{selector}', action: drop, drop_counter_reason: noise}}")

    (pattern,) = loaded_one(tmp_path, "promtail.yaml", text).drop

    assert (bool(re.search(pattern, drops)), bool(re.search(pattern, keeps))) == (True, False)
    assert note_of(translated(tmp_path, "promtail.yaml", text), selector).text == "drop"


def test_stages_for_every_line_of_a_source_are_its_own_and_those_of_others_are_not(tmp_path: Path) -> None:
    text = """\
scrape_configs:
  - job_name: all
    static_configs:
      - labels: {app: shop, __path__: /var/log/shop/*.log}
      - labels: {app: web, __path__: /var/log/web/*.log}
    pipeline_stages:
      - match:
          selector: '{app="shop"}'
          stages:
            - drop: {expression: healthz}
            - match: {selector: '{app="shop"} |= "probe"', action: drop}
      - match:
          selector: '{app="web"}'
          stages: [{json: {expressions: {a: b}}}]
      - match:
          selector: '{app="jobs"}'
          stages: [{drop: {expression: never}}]
"""

    shop, web = loaded(tmp_path, "promtail.yaml", text).values()

    assert (shop.drop, shop.format) == (("healthz", "probe"), "auto")
    assert (web.drop, web.format) == ((), "json")
    found = translated(tmp_path, "promtail.yaml", text)
    assert note_of(found, '{app="shop"}').text == "every line of this source"
    assert (note_of(found, "never").kind, note_of(found, '{app="jobs"}').kind) == ("untranslated", "untranslated")


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ('match: {selector: \'{app="shop"} |= "x"\', stages: [{drop: {expression: y}}]}', "some lines only"),
        ("match: {selector: '{filename=\"/a\"}', action: drop}", "a label that is made from the line"),
        ("match: {selector: '{job=\"a\"}', action: drop}", "a label that is made from the line"),
        ("match: {selector: '{app=\"shop\"}', action: drop}", "drops every line of this source"),
        ("match: {selector: '{app=\"shop\"} | json', action: drop}", "goes on with '| json'"),
        ("match: {selector: 'app=\"shop\"', action: drop}", "not one of labels and filters"),
        ('match: {selector: \'{app="web"} |= "x"\', action: drop}', "no source here has the labels"),
    ],
)
def test_what_a_match_asks_of_single_lines_is_named(stage: str, why: str, tmp_path: Path) -> None:
    found = notes(tmp_path, stage)

    assert found
    assert {note.kind for note in found} == {"untranslated"}
    assert all(why in note.text for note in found)
    assert loaded_one(tmp_path, "promtail.yaml", job(stage)).drop == ()


@pytest.mark.parametrize(
    ("before", "applies"),
    [("labels: {app: rest}", False), ("labeldrop: [app]", False), ("static_labels: {app: shop}", True)],
)
def test_a_label_that_a_stage_before_makes_is_not_taken_for_the_targets_own(
    before: str, applies: bool, tmp_path: Path
) -> None:
    stage = 'match: {selector: \'{app="shop"} |= "probe"\', action: drop}'

    source = loaded_one(tmp_path, "promtail.yaml", job(before, stage))

    assert source.drop == (("probe",) if applies else ())


def test_relabelling_makes_every_label_unsure(tmp_path: Path) -> None:
    text = job('match: {selector: \'{app="shop"} |= "probe"\', action: drop}')
    text += "    relabel_configs: [{source_labels: [app], target_label: app, replacement: web}]\n"

    assert loaded_one(tmp_path, "promtail.yaml", text).drop == ()


def test_terms_of_a_selector() -> None:
    assert terms_of(r' {a="x\"y" , b!~`z{2}`} |= "t" !~ "u" ') == [
        Term("a", "=", 'x"y'), Term("b", "!~", "z{2}"), Term("", "|=", "t"), Term("", "!~", "u"),
    ]  # fmt: skip
    assert terms_of("{}") == []
    assert Labels({"b": "zz"}).hold(Term("b", "!~", "z{2}")) is False
    assert dropping([]) == ""


# -- template ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "words", "default"),
    [
        ('{{ if eq .Value "W" }}warn{{ else if eq .Value "E" }}error{{ end }}', {"W": "warn", "E": "error"}, None),
        ('{{ if eq .Value "W" -}} warning {{- else -}} {{ .Value }} {{- end }}', {"W": "warn"}, None),
        ('{{ if or (eq .Value "W") (eq .lvl "w") }}warn{{ else }}info{{ end }}', {"W": "warn"}, "info"),
        ('{{ if eq .Value "E" "F" }}error{{ else }}{{ .Value | lower }}{{ end }}', {"E": "error", "F": "error"}, None),
    ],
)  # fmt: skip
def test_words_for_levels_are_a_map_of_severities(
    template: str, words: dict[str, str], default: str | None, tmp_path: Path
) -> None:
    stage = f"template: {{source: lvl, template: '{template}'}}"

    severity = loaded_one(tmp_path, "promtail.yaml", job(stage)).severity

    assert (severity.field, severity.map, severity.default) == ("lvl", words, default)
    assert {note.kind for note in notes(tmp_path, stage)} == {"translated"}


def test_words_in_another_case_need_nothing_where_they_are_a_level(tmp_path: Path) -> None:
    stages = ["template: {source: level, template: '{{ ToLower .Value }}'}",
              "template: {source: rest, template: '{{ .Value | ToUpper }}'}"]  # fmt: skip

    found = translated(tmp_path, "promtail.yaml", job(*stages))

    assert note_of(found, "{{ ToLower .Value }}").text == "severity: its words count in either case"
    assert note_of(found, "{{ .Value | ToUpper }}").kind == "untranslated"


def test_a_constant_is_an_attribute_unless_it_stands_for_a_value_of_the_line(tmp_path: Path) -> None:
    text = job("template: {source: team, template: web}", "template: {source: rest, template: gone}")

    source = loaded_one(tmp_path, "promtail.yaml", text)

    assert source.attributes == {"app": "shop", "tier": "2", "team": "web"}
    assert note_of(translated(tmp_path, "promtail.yaml", text), "gone").kind == "untranslated"


@pytest.mark.parametrize(
    "template",
    [
        '{{ Replace .Value "a" "b" -1 }}',
        "{{ .Value }}!",
        '{{ if eq .Value "a" }}x{{ end }} tail',
        "{{ if .Value }}error{{ end }}",
        '{{ if eq .Value "a" }}{{ ToUpper .Value }}{{ end }}',
        '{{ if eq .Value "a" }}error{{ else }}b{{ else }}c{{ end }}',
        '{{ if eq .a "x" }}error{{ else if eq .b "y" }}warn{{ end }}',
        "{{ end }}",
        '{{ if eq .Value "a" }}error',
    ],
)
def test_other_templates_are_no_cases(template: str) -> None:
    assert cases_of(template, "lvl") is None


@pytest.mark.parametrize(
    "stage",
    [
        """template: {source: lvl, template: '{{ if eq .Value "a" }}apple{{ end }}'}""",
        """template: {source: lvl, template: '{{ if eq .Value "a" }}info{{ else if eq .Value "A" }}alert{{ end }}'}""",
        """template: {source: other, template: '{{ if eq .Value "a" }}error{{ end }}'}""",
        """template: {source: lvl, template: '{{ Replace .Value "a" "b" -1 }}'}""",
    ],
)
def test_what_a_template_makes_of_other_values_is_named(stage: str, tmp_path: Path) -> None:
    found = notes(tmp_path, stage)

    assert {note.kind for note in found} == {"untranslated"}
    severity = loaded_one(tmp_path, "promtail.yaml", job(stage)).severity
    assert (severity.field, severity.map) == (None, {})
