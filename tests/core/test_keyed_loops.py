"""logfmt, containers' lines and W3C columns are read by loops made for them, as the plain reader reads them."""

from __future__ import annotations

import json

import msgspec
import pytest

from shipper.core.converter import compile_rule, encode_reading
from shipper.core.loop import Slow
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.reference import ReferenceReader
from shipper.core.rule import RecordFormat, Rule, SeverityRule
from tests.core.reading import figures
from tests.core.strategies import NOW_MS

FACTS = FileFacts(FileKey(1, 0), "/var/log/app.log", "app.log", NOW_MS, {"pod": "p-1"})
CARRY = Carry(stamp_ms=NOW_MS - 5000, header=("date", "time", "cs-method", "sc-status", "cs(User-Agent)"))
LOGFMT = Rule("app", "logfmt", RecordFormat.LOGFMT, attributes={"host.name": "h1"})
CRI = msgspec.structs.replace(LOGFMT, layout="cri", format=RecordFormat.CRI)
DOCKER = msgspec.structs.replace(LOGFMT, layout="docker", format=RecordFormat.DOCKER)
NGINX = (r'(?P<ip>\S+) "(?P<request>[^"]*)" (?P<status>\d+)(?: (?P<level>\w+))?(?: (?P<timestamp>\S+))?',)
CRI_NGINX = msgspec.structs.replace(CRI, patterns=NGINX)
DOCKER_NGINX = msgspec.structs.replace(DOCKER, patterns=NGINX)
W3C = msgspec.structs.replace(LOGFMT, layout="w3c", format=RecordFormat.W3C)


def chunk(*lines: str) -> Chunk:
    data = "".join(line + "\n" for line in lines).encode()
    return Chunk(0, len(data), data)


def cri(message: str, fraction: str = ".123456789", stream: str = "stdout", flag: str = "F") -> str:
    return f"2026-11-23T19:59:58{fraction}Z {stream} {flag} {message}"


def docker(message: str, end: str = "\n", time: str = "2026-11-23T19:59:58.123456789Z") -> str:
    return json.dumps({"log": message + end, "stream": "stdout", "time": time}, ensure_ascii=message.isascii())


def read_twice(rule: Rule, lines: Chunk) -> bool:
    """Return whether the loop itself reads *lines* once it knows them; either way they are read as is plain."""
    converter = compile_rule(rule)
    plain = figures(encode_reading(ReferenceReader(rule).read(lines, FACTS, CARRY, NOW_MS)))

    assert figures(converter.convert(lines, FACTS, CARRY, NOW_MS)) == plain
    assert figures(converter.convert(lines, FACTS, CARRY, NOW_MS)) == plain
    loop = converter.loop_for(FACTS)
    assert loop is not None
    try:
        loop.run(lines.data.decode()[:-1], FACTS, CARRY, NOW_MS)
    except Slow:
        return False
    return True


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        pytest.param(LOGFMT, ['time=2026-11-23T19:59:58Z level=warn msg="a \\"b\\"" n=1', "level=info"], id="logfmt"),
        pytest.param(LOGFMT, ["a=1 b=2", "no pair at all", "a=", "b=é status=200"], id="logfmt_among_text"),
        pytest.param(CRI, [cri("started"), cri("boom é", ".5", "stderr"), cri("")], id="cri_text"),
        pytest.param(CRI, [cri("a", "."), cri("a", ""), cri("a", ".1234567890")], id="cri_odd_stamps"),
        pytest.param(CRI, [cri("a", flag="F:x"), "2026-11-23T19:59:58Z stdout F"], id="cri_tags_and_no_message"),
        pytest.param(CRI, [cri('{"level":"warn","a":{"b":1}}'), cri("text"), cri("{ broken")], id="cri_json_and_text"),
        pytest.param(CRI, [cri('ts=1 level=error msg="a"'), cri("user=7 said"), cri("x level=")], id="cri_logfmt"),
        pytest.param(CRI, [cri('{"log.iostream":"x","time":"2020-01-01T00:00:00Z"}')], id="cri_names_that_are_ours"),
        pytest.param(DOCKER, [docker("started"), docker("a\r"), docker("é", time="x"), docker("")], id="docker_text"),
        pytest.param(DOCKER, [docker("a", time="2026-11-23T19:59:58.1²3456789Z")], id="docker_odd_stamp"),
        pytest.param(DOCKER, [docker('{"level":"warn"}'), docker("level=info a=1"), docker("b")], id="docker_inner"),
        pytest.param(CRI_NGINX, [cri('1.1.1.1 "GET /" 200 warn 2020-01-01T00:00:00Z'), cri("x")], id="cri_pattern"),
        pytest.param(CRI_NGINX, [cri('é "GET /é" 999'), cri('1.1.1.1 "" 404', ".5", "stderr")], id="cri_pattern_wide"),
        pytest.param(
            msgspec.structs.replace(CRI, patterns=(r"(?P<log__iostream>\w+) (?P<pod>\w+)",)),
            [cri("a b")],
            id="cri_pattern_of_names_that_are_ours",
        ),
        pytest.param(DOCKER_NGINX, [docker('1.1.1.1 "GET /" 200'), docker("y\r")], id="docker_pattern"),
        pytest.param(
            msgspec.structs.replace(DOCKER, patterns=(r"(?P<word>\w+)",)),
            [docker("é").replace("é", "\\u00e9")],
            id="docker_pattern_on_what_stands_escaped",
        ),
        pytest.param(W3C, ["2026-11-23 19:59:58 GET 200 Mozilla/5.0", "2026-11-23\t19:59:58\t-\t404\t-"], id="w3c"),
        pytest.param(
            msgspec.structs.replace(W3C, severity=SeverityRule(field="sc-status", words={"200": "info"})),
            ["2026-11-23 19:59:58 GET 200 (empty)", "2026-11-23 19:59:59 GET - -"],
            id="w3c_level",
        ),
    ],
)
def test_what_is_usual_is_read_by_the_loop(rule: Rule, lines: list[str]) -> None:
    assert read_twice(rule, chunk(*lines))


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        pytest.param(LOGFMT, ["a=1 a=2"], id="a_key_that_comes_twice"),
        pytest.param(CRI, [cri("part", flag="P"), cri("rest")], id="a_partial_message"),
        pytest.param(CRI, [cri("a"), "not of the runtime"], id="a_line_of_another_program"),
        pytest.param(CRI, [cri("a"), "", cri("b")], id="a_blank_line"),
        pytest.param(CRI, [cri('{"level":"info","Level":"warn"}')], id="keys_that_names_do_not_settle"),
        pytest.param(CRI, [cri('{"a":1}'), cri('{"a":{"b":1}}')], id="object_here_and_scalar_there"),
        pytest.param(DOCKER, [docker("part", end=""), docker("rest")], id="a_partial_docker_message"),
        pytest.param(DOCKER, [docker("a"), "{"], id="a_broken_docker_line"),
        pytest.param(DOCKER, [docker("a") + " " + docker("b"), '{"log":"c\\n"', "}"], id="objects_across_line_ends"),
        pytest.param(W3C, ["#Fields: a b", "1 2"], id="a_directive"),
        pytest.param(W3C, ['2026-11-23 19:59:58 "GET" 200 -'], id="a_quoted_value"),
        pytest.param(W3C, ["2026-11-23 19:59:58 GET"], id="a_line_of_other_columns"),
        pytest.param(W3C, ["- 19:59:58 GET 200 -"], id="a_day_that_is_absent"),
    ],
)
def test_what_is_rare_is_left_to_the_plain_way(rule: Rule, lines: list[str]) -> None:
    assert not read_twice(rule, chunk(*lines))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param((), id="none"),
        pytest.param(("date", "time", "a", "a", "b"), id="a_name_that_comes_twice"),
        pytest.param(("date", "time", "a", "status", "b"), id="status"),
        pytest.param(("date", "time", 'a"', "b", "c"), id="a_quote"),
        pytest.param(("date", "time", "log.source", "app.log.source", "c"), id="one_name_claimed_twice"),
    ],
)
def test_columns_of_more_than_one_meaning_are_left_to_the_plain_way(header: tuple[str, ...]) -> None:
    loop = compile_rule(W3C).loop_for(FACTS)
    assert loop is not None

    with pytest.raises(Slow):
        loop.run("2026-11-23 19:59:58 GET 200 -", FACTS, Carry(header=header), NOW_MS)


@pytest.mark.parametrize("day", ["2026-11-23", ""])
def test_a_mere_time_is_of_the_day_that_stands_above_it(day: str) -> None:
    carry = Carry(header=(*(("#" + day,) if day else ()), "time", "a"))
    lines = chunk("19:59:58 x", "2026-11-22T10:00:00 y")

    fast = compile_rule(W3C).convert(lines, FACTS, carry, NOW_MS)

    assert figures(fast) == figures(encode_reading(ReferenceReader(W3C).read(lines, FACTS, carry, NOW_MS)))


def test_a_header_that_changes_changes_the_loop() -> None:
    converter = compile_rule(W3C)
    lines = chunk("2026-11-23 19:59:58 GET")

    for names in (("date", "time", "a"), ("date", "time", "b"), ("date", "time", "a")):
        event = msgspec.json.decode(converter.convert(lines, FACTS, Carry(header=names), NOW_MS).json)

        assert event[names[2]] == "GET"
