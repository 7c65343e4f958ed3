"""Records of keys that were seen before are read by a loop that is made for them, and read as the plain reader does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from shipper.core.converter import Converter, compile_rule, encode_reading
from shipper.core.json_loop import JsonLoop
from shipper.core.json_shape import Shape
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.reference import ReferenceReader
from shipper.core.rule import EventLimits, MultilineRule, RecordFormat, Rule
from tests.core.reading import chunks_of, figures, pieces_of
from tests.core.strategies import NOW_MS, Case, cases

FACTS = FileFacts(FileKey(1, 0), "/var/log/app.json", "app.json", NOW_MS, {"pod": "p-1"})
RULE = Rule(source="app", layout="json", format=RecordFormat.JSON, attributes={"host.name": "h1"})


@given(case=cases((RecordFormat.JSON,)))
def test_what_was_learned_is_read_as_the_plain_reader_does(case: Case) -> None:
    """Each chunk comes twice: the second time its keys are known."""
    converter, plain = compile_rule(case.rule), ReferenceReader(case.rule)
    carry = case.carry
    for chunk in chunks_of(case.rule, pieces_of(case.data, case.cuts), at=4, carry=carry, chunk_bytes=300):
        converter.convert(chunk, case.facts, carry, NOW_MS)
        fast = converter.convert(chunk, case.facts, carry, NOW_MS)
        slow = encode_reading(plain.read(chunk, case.facts, carry, NOW_MS))

        assert figures(fast) == figures(slow)
        carry = fast.carry


def chunk(*lines: str) -> Chunk:
    data = "".join(line + "\n" for line in lines).encode()
    return Chunk(0, len(data), data)


def knows(converter: Converter, lines: Chunk) -> bool:
    """Return whether the loop itself, not the plain way behind it, reads *lines*."""
    loop = converter.loop_for(FACTS)
    assert isinstance(loop, JsonLoop)
    try:
        loop.run(lines.data.decode()[:-1], FACTS, Carry(), NOW_MS)
    except Exception as error:
        if type(error).__name__ == "Slow":
            return False
        raise
    return True


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        pytest.param(['{"ts":"2026-11-23T09:00:00.003Z","level":"info","msg":"a"}'], RULE, id="zap"),
        pytest.param(['{"ts":1795463998.25,"level":30,"msg":"a"}', '{"ts":1795463998,"level":30}'], RULE, id="numbers"),
        pytest.param(['{"time":"x","a":{"b":{"c":1},"d":[1,"2"]}}', '{"a":{"e":null}}'], RULE, id="nested_list_null"),
        pytest.param(['{"status":200,"level":"warn"}', '{"status":"failed","level":"warn"}'], RULE, id="status"),
        pytest.param(['{"level":"odd word"}', "{}"], RULE, id="unknown_level_and_empty"),
        pytest.param(['{"host.name":"h2","pod":"p","log.source":"x"}'], RULE, id="names_that_are_ours"),
        pytest.param(
            ["{", '  "ts": "2026-11-23T09:00:00.003Z"', "}", '{"ts":', '"x"}'],
            msgspec.structs.replace(RULE, multiline=MultilineRule(start=r"\{")),
            id="over_several_lines",
        ),
    ],
)
def test_keys_that_names_settle_are_read_by_the_loop(lines: list[str], rule: Rule) -> None:
    converter, plain = compile_rule(rule), ReferenceReader(rule)

    converter.convert(chunk(*lines), FACTS, Carry(), NOW_MS)

    assert knows(converter, chunk(*lines))
    assert figures(converter.convert(chunk(*lines), FACTS, Carry(), NOW_MS)) == figures(
        encode_reading(plain.read(chunk(*lines), FACTS, Carry(), NOW_MS))
    )


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(['{"a":1}', '{"a":{"b":1}}'], id="object_here_and_scalar_there"),
        pytest.param(['{"a.b":1,"a":{"b":2}}'], id="one_flat_name_for_two_keys"),
        pytest.param(['{"level":"info","Level":"warn"}'], id="two_levels_of_one_rank"),
        pytest.param(['{"level":null}'], id="a_level_that_is_null"),
        pytest.param(['{"time":true,"ts":"2026-11-23T09:00:00Z"}'], id="a_time_that_is_no_time"),
        pytest.param(['{"a\\"b":1}'], id="a_key_with_a_quote"),
        pytest.param(['{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}'], id="too_deep"),
        pytest.param(['{"app.host.name":1,"host.name":2}'], id="one_name_claimed_twice"),
    ],
)
def test_keys_that_names_do_not_settle_are_left_to_the_plain_way(lines: list[str]) -> None:
    converter, plain = compile_rule(RULE), ReferenceReader(RULE)

    converter.convert(chunk(*lines), FACTS, Carry(), NOW_MS)

    assert not knows(converter, chunk(*lines))
    assert figures(converter.convert(chunk(*lines), FACTS, Carry(), NOW_MS)) == figures(
        encode_reading(plain.read(chunk(*lines), FACTS, Carry(), NOW_MS))
    )


def test_a_new_key_is_learned_from_the_chunk_that_brings_it() -> None:
    converter = compile_rule(RULE)
    converter.convert(chunk('{"a":1}'), FACTS, Carry(), NOW_MS)
    assert not knows(converter, chunk('{"a":1,"b":"x"}'))

    converter.convert(chunk('{"a":1,"b":"x"}'), FACTS, Carry(), NOW_MS)

    assert knows(converter, chunk('{"a":1,"b":"x"}', '{"b":"y"}'))


def test_a_shape_of_too_many_keys_is_odd() -> None:
    shape = Shape(EventLimits().nesting)

    shape.learn({f"key{number}": number for number in range(201)})

    assert shape.odd
