"""What is over a limit is cut and named, never refused: section 5."""

import msgspec
import pytest

from shipper.endpoint.protocol import Limits, limits_for
from shipper.errors import UsageError
from tests.endpoint.protocol.asking import answer_to, own_attributes, record_of, warnings_of

SMALL = Limits(content_bytes=10, key_bytes=8, value_bytes=6, attributes=3, values=2)


@pytest.mark.parametrize(("profile", "content", "value", "attributes"), [
    ("", 524_288, 32_768, 500),
    ("saas", 10_485_760, 32_768, 500),
    ("classic", 8_192, 250, 50),
    ("managed", 8_192, 250, 50),
])  # fmt: skip
def test_each_profile_has_its_limits(profile: str, content: int, value: int, attributes: int) -> None:
    assert limits_for(profile) == Limits(
        body_bytes=10_485_760, processed_bytes=16_777_216, events=50_000, content_bytes=content, key_bytes=100,
        value_bytes=value, attributes=attributes, values=32, nesting=5, max_age_ms=86_400_000, future_ms=600_000,
    )  # fmt: skip


def test_an_unknown_profile_is_the_operators_mistake() -> None:
    with pytest.raises(UsageError, match="use saas, classic or managed"):
        limits_for("grail")


@pytest.mark.parametrize(("content", "kept"), [
    ("0123456789", "0123456789"),
    ("0123456789a", "0123456789"),
    ("012345678é", "012345678"),
    ("01234567é9", "01234567é"),
    ("ééééé", "ééééé"),
    ("𝄞𝄞𝄞", "𝄞𝄞"),
])  # fmt: skip
def test_content_is_cut_at_a_character(content: str, kept: str) -> None:
    record = record_of({"content": content}, limits=SMALL)

    assert record.content == kept
    assert warnings_of(record) == (None if kept == content else ["content_trimmed"])


@pytest.mark.parametrize(("fields", "attributes", "warnings"), [
    pytest.param({"12345678": 1}, {"12345678": 1}, None, id="key_that_fits"),
    pytest.param({"123456789": 1}, {"12345678": 1}, ["attr_key_trimmed"], id="key"),
    pytest.param({"1234567é": 1}, {"1234567": 1}, ["attr_key_trimmed"], id="key_at_a_character"),
    pytest.param({"123456789": 1, "12345678a": 2}, {"12345678": 1, "overwritten1.12345678": 2}, ["attr_key_trimmed"],
                 id="keys_that_become_one"),
    pytest.param({"a": "123456"}, {"a": "123456"}, None, id="value_that_fits"),
    pytest.param({"a": "12345é"}, {"a": "12345"}, ["attr_val_size_trimmed"], id="value"),
    pytest.param({"a": 12345678}, {"a": 12345678}, None, id="a_number_is_no_text"),
    pytest.param({"a": ["1234567", "x"]}, {"a": ["123456", "x"]}, ["attr_val_size_trimmed"], id="value_in_an_array"),
    pytest.param({"a": [1, 2]}, {"a": [1, 2]}, None, id="values_that_fit"),
    pytest.param({"a": [1, 2, 3]}, {"a": [1, 2]}, ["attr_val_count_trimmed"], id="values"),
    pytest.param({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, None, id="attributes_that_fit"),
    pytest.param({"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 2, "c": 3}, ["attr_count_trimmed"], id="attributes"),
    pytest.param({"123456789": "1234567", "b": "1234567"}, {"12345678": "123456", "b": "123456"},
                 ["attr_key_trimmed", "attr_val_size_trimmed"], id="each_warning_once"),
])  # fmt: skip
def test_attributes_are_cut_to_the_limits(
    fields: dict[str, object], attributes: dict[str, object], warnings: list[str] | None
) -> None:
    record = record_of({"content": "x", **fields}, limits=SMALL)

    found = own_attributes(record)
    assert found.pop("dt.ingest.warnings", None) == warnings
    assert found == attributes


def test_nulls_are_not_counted_and_neither_is_what_the_server_adds() -> None:
    record = record_of({"content": "x", "n": None, "a": 1, "b": 2, "c": 3, "timestamp": None}, limits=SMALL)

    assert own_attributes(record) == {"a": 1, "b": 2, "c": 3}
    assert record.attributes["event.type"] == "LOG"


def test_the_requests_attributes_come_first() -> None:
    record = record_of({"content": "x", "a": 1, "b": 2}, limits=SMALL, query=[("q", "1"), ("r", "2")])

    found = own_attributes(record)
    assert found == {"q": "1", "r": "2", "a": 1, "dt.ingest.warnings": ["attr_count_trimmed"]}


def test_raw_objects_are_cut_as_text() -> None:
    assert own_attributes(record_of({"content": "x", "a": {"b": 12345}}, "raw", SMALL))["a"] == '{"b": '


def test_what_is_only_trimmed_answers_204() -> None:
    body = msgspec.json.encode({"content": "x" * 11, "123456789": ["1234567"] * 3, "b": 1, "c": 2, "d": 3})

    assert answer_to(body, limits=SMALL)[0].status == 204
