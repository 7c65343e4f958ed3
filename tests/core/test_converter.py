"""The compiled converter gives what the plain reader gives."""

from __future__ import annotations

from hypothesis import given

from shipper.core.converter import compile_rule, encode_reading
from shipper.core.reference import ReferenceReader
from shipper.core.rule import RecordFormat
from tests.core.reading import chunks_of, figures, pieces_of
from tests.core.strategies import NOW_MS, Case, cases

COMPILED = (RecordFormat.PATTERN, RecordFormat.RAW)
ONE_BY_ONE = (RecordFormat.LOGFMT, RecordFormat.CRI, RecordFormat.DOCKER, RecordFormat.W3C)


def assert_equal_readings(case: Case) -> None:
    converter, plain = compile_rule(case.rule), ReferenceReader(case.rule)
    carry = case.carry
    for chunk in chunks_of(case.rule, pieces_of(case.data, case.cuts), at=4, carry=carry, chunk_bytes=case.chunk_bytes):
        fast = converter.convert(chunk, case.facts, carry, NOW_MS)
        again = converter.convert(chunk, case.facts, carry, NOW_MS)  # what it has learned of the keys is in use now
        slow = figures(encode_reading(plain.read(chunk, case.facts, carry, NOW_MS)))

        assert figures(fast) == slow
        assert figures(again) == slow
        carry = fast.carry


@given(case=cases(COMPILED))
def test_the_compiled_loop_equals_the_plain_reader(case: Case) -> None:
    """For any rule, text and cut: the same events, figures and carry."""
    assert_equal_readings(case)


@given(case=cases((RecordFormat.JSON,)))
def test_the_loop_over_known_keys_equals_the_plain_reader(case: Case) -> None:
    assert_equal_readings(case)


@given(case=cases(ONE_BY_ONE))
def test_what_is_read_one_by_one_equals_the_plain_reader(case: Case) -> None:
    assert_equal_readings(case)
