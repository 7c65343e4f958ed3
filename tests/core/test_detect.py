"""Which layout a file is read by, from its first lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shipper.core.converter import compile_rule, encode_reading
from shipper.core.detect import Choice, choose, explains, rule_of
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.reference import ReferenceReader
from shipper.core.rule import MultilineRule, RecordFormat, Rule, StampRule

NEAR_MS = int(datetime(2025, 12, 20, tzinfo=UTC).timestamp() * 1000)
ISO = r"(?P<timestamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)"
CALM = MultilineRule(start_at_stamp=True)


def rule(layout: str, *patterns: str, rank: int = 0, multiline: MultilineRule | None = None, **more: object) -> Rule:
    form = RecordFormat.PATTERN if patterns else RecordFormat(layout.partition("_")[0])
    made = {
        "source": "app",
        "layout": layout,
        "format": form,
        "patterns": patterns,
        "rank": rank,
        "multiline": multiline,
    }
    return Rule(**(made | more))  # type: ignore[arg-type]  # a table's columns


CANDIDATES = (
    rule("shop", rf"^{ISO} (?P<severity>[A-Z]+) shop\[\d+\]: ", multiline=CALM),
    rule("pay", rf"^{ISO} (?P<severity>[A-Z]+) pay\[\d+\]: ", multiline=CALM),
    rule("level_first", rf"^(?P<severity>[A-Z]+) {ISO} "),
    rule("syslog", r"^(?P<timestamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ ", rank=1),
    rule("app", rf"^{ISO} (?P<severity>[A-Z]+) ", rank=2, multiline=CALM),
    rule("cri"),
    rule("docker"),
    rule("json", rank=3),
    rule("logfmt", rank=4),
    rule("json_pretty", rank=5, multiline=MultilineRule(start=r"\{")),
    rule("raw"),
)


def chosen(text: str, first: tuple[str, ...] = ()) -> Choice:
    return choose(CANDIDATES, text, NEAR_MS, first)


def events_of(choice: Choice, text: str) -> list[dict[str, str]]:
    """Return the events of *text*, by the compiled converter; the plain reader must give the same."""
    chunk = Chunk(0, len(text.encode()), text.encode())
    facts = FileFacts(FileKey(1, 0), "/var/log/a.log", "a.log", NEAR_MS)
    fast = compile_rule(choice.rule).convert(chunk, facts, Carry(), NEAR_MS)
    slow = encode_reading(ReferenceReader(choice.rule).read(chunk, facts, Carry(), NEAR_MS))
    made: list[dict[str, str]] = json.loads(b"[" + bytes(fast.json) + b"]")
    assert made == json.loads(b"[" + bytes(slow.json) + b"]")
    return made


SHOP = "2025-12-19 10:00:0{n} INFO shop[7]: a\n"
PAY = "2025-12-19 10:00:0{n} WARN pay[8]: b\n"
OTHER = "2025-12-19 10:00:0{n} ERROR c\n"
TRACE = "java.lang.X: y\n\tat z\n"


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        pytest.param(SHOP * 5, "shop+app", id="one_program_and_the_general_form_behind_it"),
        pytest.param((SHOP + TRACE) * 5, "shop+app", id="continuations_are_explained"),
        pytest.param((OTHER * 3 + SHOP) * 5, "app", id="the_general_form_where_it_explains_more"),
        pytest.param((SHOP * 9 + PAY) * 3, "app", id="two_programs_of_one_form"),
        pytest.param(("INFO 2025-12-19 10:00:01 a\n" * 3 + SHOP) * 5, "level_first+shop", id="two_forms"),
        pytest.param('{"time":"2025-12-19T10:00:00Z","level":"info"}\n' * 5, "json", id="json"),
        pytest.param('{\n  "time": "2025-12-19T10:00:00Z",\n  "n": 1\n}\n' * 5, "json_pretty", id="json_over_lines"),
        pytest.param("time=2025-12-19T10:00:00Z level=info msg=a\n" * 5, "logfmt", id="logfmt"),
        pytest.param("2025-12-19T10:00:00.1Z stdout F a\n" * 5, "cri", id="cri"),
        pytest.param('{"log":"a\\n","stream":"stdout","time":"2025-12-19T10:00:00Z"}\n' * 5, "docker", id="docker"),
        pytest.param("Dec 19 10:00:00 host a: b\n" * 5, "syslog", id="syslog"),
        pytest.param("nothing that is known\nat all\n", "raw", id="prose"),
        pytest.param("", "raw", id="empty"),
        pytest.param("\x1b[32m2025-12-19 10:00:01\x1b[0m INFO shop[7]: a\n" * 5, "ansi+shop+app", id="colours"),
    ],
)
def test_the_layout_is_the_one_that_explains_the_lines(text: str, layout: str) -> None:
    assert chosen(text.format(n=1) if "{n}" in text else text).layout == layout


def test_what_a_preset_leaves_over_is_learned() -> None:
    text = (SHOP.format(n=1) * 3 + "19.12.2025 10:00:02 [error] odd\n") * 5
    choice = chosen(text)

    events = events_of(choice, text)

    assert choice.layout.startswith("shop+")
    assert "{" in choice.layout
    assert choice.explained == 1.0
    assert [(e["timestamp"], e["severity"]) for e in events[2:4]] == [
        ("2025-12-19T10:00:01.000Z", "info"),
        ("2025-12-19T10:00:02.000Z", "error"),
    ]


def test_a_trace_that_speaks_of_times_is_no_layout_of_its_own() -> None:
    trace = "Traceback:\n  run(since='2020-01-01 00:00:00')\nValueError: bad since 2020-01-01 00:00:00\n"
    text = (SHOP.format(n=1) * 3 + trace) * 5
    choice = chosen(text)

    assert "{" not in choice.layout
    assert [e["timestamp"] for e in events_of(choice, text)] == ["2025-12-19T10:00:01.000Z"] * 15


def in_container(text: str, stream: str = "stdout") -> str:
    return "".join(f"2025-12-19T10:00:09.5Z {stream} F {line}\n" for line in text.splitlines())


def test_the_messages_in_a_containers_log_are_read_as_their_program_writes_them() -> None:
    text = in_container((SHOP.format(n=1) + "shop.Gone: x\n\tat shop.Cart\n") * 6 + SHOP.format(n=2))
    choice = chosen(text)

    events = events_of(choice, text)

    assert (choice.layout, choice.explained) == ("cri+shop+app", 1.0)
    assert (again := rule_of(choice.layout, CANDIDATES)) is not None
    assert events_of(choice._replace(rule=again), text) == events
    assert len(events) == 7
    assert events[0]["content"].endswith("\nshop.Gone: x\n\tat shop.Cart")
    assert {(event["timestamp"], event["severity"]) for event in events} == {("2025-12-19T10:00:09.500Z", "info")}


def test_a_learned_layout_can_stand_in_a_container_too() -> None:
    text = in_container("".join(f"[{n}] (19.12.2025 10:00:0{n}) <warn> x\n  more\n" for n in range(9)))
    choice = chosen(text)

    assert choice.layout.startswith("cri+{")
    assert [event["severity"] for event in events_of(choice, text)] == ["warn"] * 9
    assert (again := rule_of(choice.layout, CANDIDATES)) is not None
    assert events_of(choice._replace(rule=again), text) == events_of(choice, text)


@pytest.mark.parametrize(
    "inner", ['{"level":"warn"}\n', "level=warn a=1\n", "plain\n", "plain\n" * 3 + SHOP.format(n=1)]
)
def test_messages_that_tell_their_own_level_or_have_no_layout_stay_with_the_containers_format(inner: str) -> None:
    assert chosen(in_container(inner * 9)).layout == "cri"


def test_one_containers_layout_is_not_taken_for_another() -> None:
    shop, pay = in_container(SHOP.format(n=1) * 20), in_container("plain\n" * 20)

    assert chosen(shop, first=("cri+shop+app", "cri")).evidence == "as other files of this source"
    assert chosen(pay, first=("cri+shop+app", "cri")).layout == "cri"


def test_a_layout_that_nobody_knows_is_learned_and_saved_by_its_name() -> None:
    text = "".join(f"[{n}] (19.12.2025 10:00:0{n}) <warn> x\n  more\n" for n in range(9))
    choice = chosen(text)

    again = rule_of(choice.layout, CANDIDATES)

    assert again is not None
    assert events_of(choice, text) == events_of(choice._replace(rule=again), text)
    assert [event["content"] for event in events_of(choice, text)][:1] == ["[0] (19.12.2025 10:00:00) <warn> x\n  more"]
    assert {event["severity"] for event in events_of(choice, text)} == {"warn"}


@pytest.mark.parametrize("layout", ["shop", "shop+pay", "ansi+shop+app", "raw", "json"])
def test_a_saved_layout_is_read_as_it_was(layout: str) -> None:
    again = rule_of(layout, CANDIDATES)

    assert again is not None
    assert again.layout == layout
    assert again.ansi == layout.startswith("ansi")


@pytest.mark.parametrize("layout", ["gone", "shop+gone", '{"patterns":1}', "", "{"])
def test_a_layout_that_is_not_there_any_more_is_none(layout: str) -> None:
    assert rule_of(layout, CANDIDATES) is None


def test_what_other_files_of_the_source_have_is_taken_where_it_explains_nearly_everything() -> None:
    text = OTHER.format(n=1) * 20

    assert chosen(text, first=("app",)).evidence == "as other files of this source"
    assert chosen(text, first=("pay", "json")).layout == "app"


def test_neither_colours_nor_a_learned_layout_are_taken_from_another_file() -> None:
    text = SHOP.format(n=1) * 20
    learned = chosen("".join(f"(19.12.2025 10:00:{n:02}) <warn> x\n" for n in range(20))).layout

    assert learned.startswith("{")
    assert chosen(text, first=("ansi+app", learned)).layout == "shop+app"


SYSLOG = r"^(?P<timestamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) "


def test_the_programs_of_a_family_are_read_by_their_own_formats_and_the_rest_by_the_familys() -> None:
    ssh, cron = (
        rule(name, rf"{SYSLOG}(?P<app>{name})\[(?P<pid>\d+)\]: ", SYSLOG, sign=rf" {name}\[")
        for name in ("ssh", "cron")
    )
    family = rule("family", rf"{SYSLOG}(?P<app>[^ :\[]+)", rank=1)
    lines = [f"Dec 19 10:00:0{n % 10} web1 {('ssh[1]', 'cron[2]', 'su')[n % 3]}: x\n" for n in range(30)]

    choice = choose((*CANDIDATES, family, ssh, cron), "".join(lines), NEAR_MS)
    events = events_of(choice, "".join(lines))

    assert set(choice.layout.split("+")) == {"ssh", "cron", "family"}
    assert choice.layout.endswith("family")
    assert [(event.get("app"), event.get("pid")) for event in events[:3]] == [("ssh", "1"), ("cron", "2"), ("su", None)]


def test_a_family_of_another_form_is_not_joined() -> None:
    packages = rule("packages", r"^(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?P<action>install|remove) ")
    loose = rule("loose", r"^(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:(?P<severity>NOTE): )?", rank=1)
    text = "2025-12-19 10:00:01 install a\n2025-12-19 10:00:02 remove b\n" * 9

    assert choose((packages, loose, rule("raw")), text, NEAR_MS).layout == "packages"


def test_a_form_that_fits_by_chance_gives_way_to_one_that_reads_the_level() -> None:
    loose = rule("loose", r"^(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", rank=1)
    text = "2025-12-19 10:00:01 [7] INFO a\n2025-12-19 10:00:02 [8] ERROR b\n" * 9

    choice = choose((loose, rule("raw")), text, NEAR_MS)

    assert [event["severity"] for event in events_of(choice, text)[:2]] == ["info", "error"]


def test_joined_layouts_read_stamps_of_each() -> None:
    dashes = rule(
        "dashes", r"^(?P<timestamp>\d\d-\d\d-\d{4} \d\d:\d\d:\d\d) ", stamp=StampRule(formats=("%d-%m-%Y %H:%M:%S",))
    )
    text = (SHOP.format(n=1) * 2 + "03-12-2025 10:00:00 x\n") * 5
    choice = choose((*CANDIDATES, dashes), text, NEAR_MS)

    assert events_of(choice, text)[2]["log.original_timestamp"] == "2025-12-03T10:00:00.000Z"


def test_the_share_that_a_rule_explains_is_what_a_change_is_judged_by() -> None:
    text = SHOP.format(n=1) * 3 + "19.12.2025 odd\n"

    assert explains(CANDIDATES[1], text, NEAR_MS) == 0.0
    assert explains(CANDIDATES[0], text, NEAR_MS) == 1.0  # what has no stamp goes on with the record above


def test_there_must_be_something_to_choose_from() -> None:
    with pytest.raises(ValueError, match="nothing to choose from"):
        choose((), "x\n", NEAR_MS)
