"""What must not leave is replaced in the content and in every attribute that came from it, or the record stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.event import MatchTimeout
from shipper.core.masks import compile_masks, mask_value
from shipper.core.model import AttributeValue, Carry, ChunkKind, OpenPart
from shipper.core.reference import ReferenceReader
from shipper.core.rule import EventLimits, MaskRule, RecordFormat, Rule
from tests.core.reading import FACTS, NOW_MS, chunks_of, events_of, read_text

CARD = MaskRule(r"\b\d{4}(?:-\d{4}){3}\b", "****")
TOKEN = MaskRule(r"token=(\w+)", "<token>")
PATTERN = r"^(?P<level>\S+) (?P<user>\S+) (?P<rest>.*)"


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        pytest.param((CARD,), "pay 1234-5678-9012-3456 now", "pay **** now", id="whole_match"),
        pytest.param((TOKEN,), "a token=abc b token=d", "a token=<token> b token=<token>", id="one_group"),
        pytest.param((MaskRule(r"(a)|b", "-"),), "abab", "-b-b", id="a_group_that_is_not_in_the_match"),
        pytest.param((MaskRule(r"(a)(b)", "-"),), "xabx", "x-x", id="two_groups_are_the_whole_match"),
        pytest.param((MaskRule("x+", r"\1\g<0>"),), "axxb", r"a\1\g<0>b", id="the_replacement_is_literal"),
        pytest.param((MaskRule("a", "b"), MaskRule("b", "c")), "ab", "cc", id="each_on_the_result_before"),
        pytest.param((MaskRule("x*", "-"),), "axb", "-a--b-", id="empty_matches"),
    ],
)
def test_a_mask_replaces_its_match_or_its_one_group(rules: tuple[MaskRule, ...], text: str, expected: str) -> None:
    mask = compile_masks(rules)

    assert mask is not None
    assert mask(text) == expected


def test_without_rules_there_is_no_mask() -> None:
    assert compile_masks(()) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("token=a", "token=<token>"), (["token=a", 1, None], ["token=<token>", 1, None]), (5, 5), (None, None),
        (True, True), (1.5, 1.5),
    ],
)  # fmt: skip
def test_texts_in_lists_are_masked_and_other_values_kept(value: AttributeValue, expected: AttributeValue) -> None:
    mask = compile_masks((TOKEN,))

    assert mask is not None
    assert mask_value(mask, value) == expected


SECRETS = st.sampled_from(["1234-5678-9012-3456", "9999-0000-1111-2222"])


@given(
    secret=SECRETS,
    record_format=st.sampled_from([RecordFormat.PATTERN, RecordFormat.JSON, RecordFormat.LOGFMT, RecordFormat.CRI]),
    place=st.sampled_from(["level", "user", "rest", "http.status_code", "list", "key"]),
    content_bytes=st.sampled_from([16, 65_536]),
)
def test_a_secret_is_nowhere_in_what_is_sent(
    secret: str, record_format: RecordFormat, place: str, content_bytes: int
) -> None:
    """Wherever it stands: also where the level is read, and where the content is split in its middle."""
    texts = {
        RecordFormat.PATTERN: f"{secret} {secret} x {secret}",
        RecordFormat.JSON: json.dumps({"level": secret, "user": {place: secret}, "list": [secret, 1], "n": secret}),
        RecordFormat.LOGFMT: f'level={secret} {place}="a {secret}"',
        RecordFormat.CRI: f"2026-11-23T19:59:58Z stdout F level={secret} {place}={secret} {secret}",
    }
    patterns = (PATTERN,) if record_format is RecordFormat.PATTERN else ()
    limits = EventLimits(content_bytes=content_bytes)
    rule = Rule("s", "x", record_format, patterns, masks=(CARD,), limits=limits)

    reading = read_text(rule, texts[record_format] + "\n")

    assert reading.records == 1
    assert secret not in repr(reading)
    assert secret.split("-")[1] not in repr(events_of(reading))


ANN = MaskRule(r"\w[\w.+]{0,30}@[\w.]{1,30}", "****")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"to":"ann\u002bx\u0040example.com"}', '{"to":"****"}'),
        (r'{"to":"ann@example.com","eq":"a\u003db"}', r'{"to":"****","eq":"a\u003db"}'),
        (r'{"b":"{\u0022to\u0022:\u0022ann\u0040example.com\u0022}"}', r'{"b":"{\"to\":\"****\"}"}'),
        (r'{"b":"{\"to\":\"ann\\u0040example.com\"}"}', r'{"b":"{\"to\":\"****\"}"}'),
        (r'{"u":"http:\/\/ann@example.com\/","tab":"\u0009"}', r'{"u":"http:\/\/****\/","tab":"\u0009"}'),
        (r"C:\users\ann\u00e9 at work", r"C:\users\ann\u00e9 at work"),
    ],
)
def test_a_secret_that_json_spells_with_escapes_is_found(text: str, expected: str) -> None:
    mask = compile_masks((ANN,))
    assert mask is not None
    assert mask(text) == expected


@pytest.mark.parametrize(
    ("record_format", "text"),
    [
        (RecordFormat.JSON, '{"sent":{"ann@example.com":{"n":1},"bob@example.com":{"n":2}}}'),
        (RecordFormat.LOGFMT, "level=info ann@example.com=1 bob@example.com=2"),
        (RecordFormat.CRI, '2026-11-23T19:59:58Z stdout F {"ann@example.com":1,"bob@example.com":2}'),
    ],
)
def test_a_secret_that_is_the_name_of_an_attribute_is_masked_and_no_value_is_lost(
    record_format: RecordFormat, text: str
) -> None:
    event = events_of(read_text(Rule("s", "x", record_format, masks=(ANN,)), text + "\n"))[0]

    assert "example.com" not in repr(event)
    assert [str(value) for name, value in event.items() if "****" in name] == ["1", "2"]


@pytest.mark.parametrize("pad", range(0, 100, 3))
def test_a_secret_on_the_border_of_two_parts_is_masked(pad: int) -> None:
    """Wherever a record that is too long to hold is cut."""
    rule = Rule("s", "x", RecordFormat.RAW, masks=(MaskRule(r"password[=:] ?([^ ]+)", "****"), ANN))
    line = f"{'x ' * pad}password=hunter2horse password: hunter2horse to ann.smith+x@example.com{' x' * 60}\n"

    carry, contents = Carry(), ""
    for chunk in chunks_of(rule, [line.encode()], max_open_bytes=100):
        reading = ReferenceReader(rule).read(chunk, FACTS, carry, NOW_MS)
        carry = reading.carry
        contents += "".join(str(event["content"]) for event in events_of(reading))

    assert contents == f"{'x ' * pad}password=**** password: **** to ****{' x' * 60}"


def test_a_line_that_goes_on_after_it_was_sent_is_masked_as_one() -> None:
    rule = Rule("s", "x", RecordFormat.RAW, masks=(TOKEN,))
    first = read_text(rule, "login token=")
    second = read_text(rule, "s3cret now\n", carry=first.carry, at=12, kind=ChunkKind.LAST_PART)

    assert [event["content"] for event in events_of(second)] == ["<token> now"]
    assert first.carry.part is not None
    assert "s3cret" not in repr(second)


@contextmanager
def never_enough() -> Iterator[None]:
    yield
    raise MatchTimeout


class SecondRunsOut:
    """Lets the pattern match and stops the mask."""

    def __init__(self) -> None:
        self.entered = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.entered += 1
        yield
        if self.entered % 2 == 0:
            raise MatchTimeout


def test_a_mask_that_runs_out_of_time_keeps_the_record_back() -> None:
    rule = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), masks=(CARD,))

    reading = read_text(rule, "INFO secret text\nINFO b c\n", budget=SecondRunsOut())

    assert reading.produced == []
    assert [(refused.reason, refused.span, refused.event) for refused in reading.refused] == [
        ("mask_failed", (0, 17), None),
        ("mask_failed", (17, 26), None),
    ]
    assert "secret" not in repr(reading)


def test_a_pattern_that_runs_out_of_time_ships_unparsed_and_says_so() -> None:
    rule = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,))

    reading = read_text(rule, "ERROR a b\n", budget=never_enough)

    [event] = events_of(reading)
    assert event["content"] == "ERROR a b"
    assert event["log.unparsed"] == "timeout"
    assert event["severity"] == "none"
    assert "user" not in event
    assert (reading.unparsed, reading.pattern_timeouts, reading.records) == (1, 1, 1)


def test_a_pattern_that_runs_out_of_time_is_still_masked() -> None:
    class FirstRunsOut(SecondRunsOut):
        @contextmanager
        def __call__(self) -> Iterator[None]:
            self.entered += 1
            yield
            if self.entered % 2:
                raise MatchTimeout

    rule = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), masks=(TOKEN,))

    [event] = events_of(read_text(rule, "INFO a token=x\n", budget=FirstRunsOut()))

    assert event["content"] == "INFO a token=<token>"


@pytest.mark.parametrize("kind", [ChunkKind.PART, ChunkKind.LAST_PART])
def test_a_later_part_whose_mask_runs_out_of_time_is_kept_back_too(kind: ChunkKind) -> None:
    rule = Rule("s", "x", RecordFormat.RAW, masks=(TOKEN,))
    carry = Carry(part=OpenPart(1, "2026-11-23T19:00:00.000Z", "info"))

    reading = read_text(rule, "secret\n", carry=carry, kind=kind, budget=never_enough, at=100)

    assert reading.produced == []
    assert [(refused.reason, refused.span) for refused in reading.refused] == [("mask_failed", (100, 107))]


def test_what_goes_on_a_refused_record_is_refused_as_well() -> None:
    rule = Rule("s", "x", RecordFormat.RAW, masks=(TOKEN,))

    first = read_text(rule, "secret", kind=ChunkKind.PART, budget=SecondRunsOut())
    second = read_text(rule, " more\n", kind=ChunkKind.LAST_PART, carry=first.carry, at=6)

    assert [refused.reason for refused in (*first.refused, *second.refused)] == ["mask_failed"] * 2
    assert second.refused[0].span == (6, 12)
    assert first.produced == second.produced == []
    assert second.carry.part is None
