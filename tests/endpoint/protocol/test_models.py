"""The two data models of section 4.3, by the documented examples."""

import pytest

from tests.endpoint.protocol.asking import answer_to, kept, message_of, own_attributes, record_of

FLATTENED = [
    pytest.param(
        {"host.name": "abc", "host": {"name": "xyz"}}, {"host.name": "abc", "overwritten1.host.name": "xyz"}, id="clash"
    ),
    pytest.param(
        {"service.instance.id": "abc", "service": {"instance.id": "xyz", "instance": {"id": "123"}}},
        {
            "service.instance.id": "abc",
            "overwritten1.service.instance.id": "xyz",
            "overwritten2.service.instance.id": "123",
        },
        id="counter_runs_per_key",
    ),
    pytest.param(
        {"host": {"name": "xyz"}, "host.name": "abc"},
        {"host.name": "xyz", "overwritten1.host.name": "abc"},
        id="document_order",
    ),
    pytest.param(
        {"a": {"b": 1}, "overwritten1.a.b": 2, "a.b": 3},
        {"a.b": 1, "overwritten1.a.b": 2, "overwritten2.a.b": 3},
        id="taken",
    ),
    pytest.param({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a.b.c.d.e": 1}, id="five_levels"),
    pytest.param({"a": {"b": {"c": {"d": {"e": {"f": 1}, "g": 2}}}}}, {"a.b.c.d.g": 2}, id="deeper_is_removed"),
    pytest.param({"a": None, "b": {"c": None}, "d": {}}, {}, id="null_and_empty"),
    pytest.param({"a.b": None, "a": {"b": 1}}, {"a.b": 1}, id="a_null_takes_no_key"),
    pytest.param({"a": True, "b": 2.5, "c": "x"}, {"a": True, "b": 2.5, "c": "x"}, id="types_are_kept"),
    pytest.param({"n": 2**70}, {"n": str(2**70)}, id="an_integer_over_64_bits_is_text"),
]


@pytest.mark.parametrize(("fields", "attributes"), FLATTENED)
def test_flattened_objects_become_dotted_keys(fields: dict[str, object], attributes: dict[str, object]) -> None:
    assert own_attributes(record_of({"content": "x", **fields})) == attributes


@pytest.mark.parametrize(("event", "content", "attributes"), [
    pytest.param({"payload": "P", "message": {"id": "T1"}}, "P", {"message.id": "T1"}, id="an_object_is_passed_over"),
    pytest.param({"message": ["a"], "payload": "P"}, "P", {"message": ["a"]}, id="an_array_is_passed_over"),
    pytest.param({"message": None, "payload": "P"}, "P", {}, id="a_null_is_passed_over"),
    pytest.param({"Message": ["a"], "MESSAGE": "b"}, "b", {"Message": ["a"]}, id="another_case_may_fit"),
    pytest.param({"message": 3}, "3", {}, id="a_number"),
    pytest.param({"message": False}, "false", {}, id="a_truth"),
    pytest.param({"message": ""}, "", {}, id="empty_is_content"),
    pytest.param({"transaction": {"id": "T1"}}, '{"transaction":{"id":"T1"}}', {"transaction.id": "T1"}, id="none"),
    pytest.param({}, "{}", {}, id="nothing_at_all"),
])  # fmt: skip
def test_flattened_content_is_the_first_primitive_or_the_whole_event(
    event: dict[str, object], content: str, attributes: dict[str, object]
) -> None:
    record = record_of(event)

    assert record.content == content
    assert own_attributes(record) == attributes


@pytest.mark.parametrize(("event", "content", "attributes"), [
    pytest.param({"content": {"id": "T1", "amount": 2.5}}, '{"id": "T1", "amount": 2.5}', {}, id="object"),
    pytest.param({"content": ["Created", 3]}, '["Created", 3]', {}, id="array"),
    pytest.param({"message": {"id": 1}, "log": "P", "_raw": "R"}, '{"id": 1}', {"log": "P", "_raw": "R"}, id="losers"),
    pytest.param({"transaction": {"id": "T1"}}, "", {"transaction": '{"id": "T1"}'}, id="no_content"),
    pytest.param({"content": 3}, "3", {}, id="number"),
    pytest.param({"log": "x", "a.b": 1, "a": {"b": "é"}}, "x", {"a.b": 1, "a": '{"b": "é"}'}, id="no_clash"),
])  # fmt: skip
def test_raw_content_is_the_first_key_whatever_its_type(
    event: dict[str, object], content: str, attributes: dict[str, object]
) -> None:
    record = record_of(event, "raw")

    assert record.content == content
    assert own_attributes(record) == attributes


@pytest.mark.parametrize("structure", ["raw", "flattened"])
@pytest.mark.parametrize(("array", "expected"), [
    pytest.param(["Created", "Approved", 3], ["Created", "Approved", "3"], id="a_string_makes_all_strings"),
    pytest.param([1, 2.5], [1, 2.5], id="numbers"),
    pytest.param([True, False], [True, False], id="truths"),
    pytest.param([True, 1], ["true", "1"], id="truths_and_numbers"),
    pytest.param([None, 1], [None, 1], id="null_fits_numbers"),
    pytest.param([None, "a", 1], [None, "a", "1"], id="null_fits_strings"),
    pytest.param([[1], 1], ["[1]", "1"], id="array_inside"),
    pytest.param([2**70, 1], [str(2**70), "1"], id="an_integer_over_64_bits"),
    pytest.param([], [], id="empty"),
])  # fmt: skip
def test_arrays_are_of_one_type(array: list[object], expected: list[object], structure: str) -> None:
    record = record_of({"content": "x", "a": array}, "raw" if structure == "raw" else "flattened")

    assert own_attributes(record) == {"a": expected}


def test_objects_in_arrays_are_json_text_and_no_nesting() -> None:
    deep = {"a": [{"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}, 1]}

    assert own_attributes(record_of({"content": "x", **deep})) == {"a": ['{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}', "1"]}
    assert answer_to(b'{"a":[{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}]}')[0].status == 204


def test_too_nested_records_are_kept_and_named_by_a_200() -> None:
    deep = b'{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}'

    answer, accepted, rejected = answer_to(b'[{"a":1},%b,{"b":{"c":1}},%b]' % (deep, deep))

    assert answer.status == 200
    assert message_of(answer) == "Event(s) have attributes that are too nested for records: 1, 3"
    assert b'"rejected":[]' in answer.body
    assert (len(kept(accepted)), rejected) == (4, {})


def test_raw_knows_no_nesting_limit() -> None:
    assert answer_to(b'{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}', structure="raw")[0].status == 204


@pytest.mark.parametrize(("query", "options", "content"), [
    ((("structure", "raw"),), "", ""),
    ((), "structure=raw", ""),
    ((), "other=1&structure=raw", ""),
    ((("structure", "flattened"),), "structure=raw", '{"a":{"b":1}}'),
    ((), "", '{"a":{"b":1}}'),
])  # fmt: skip
def test_the_query_chooses_the_model_over_the_header(
    query: tuple[tuple[str, str], ...], options: str, content: str
) -> None:
    assert record_of({"a": {"b": 1}}, query=query, headers={"x-dynatrace-options": options}).content == content


def test_managed_has_only_the_flattened_model() -> None:
    assert own_attributes(record_of({"content": "x", "a": {"b": "1"}}, "raw", profile="managed")) == {"a.b": "1"}


@pytest.mark.parametrize("profile", ["classic", "managed"])
def test_the_classic_store_has_text_under_lower_case_keys(profile: str) -> None:
    record = record_of(
        {"content": "x", "Team": 1, "ok": True, "list": [1, None], "f": 2.5, "team": "b"}, profile=profile
    )

    assert own_attributes(record) == {
        "team": "1", "ok": "true", "list": ["1", None], "f": "2.5", "overwritten1.team": "b",
        "dt.ingest.warnings": ["attr_key_case_mismatch"],
    }  # fmt: skip


def test_the_server_says_where_a_record_came_from() -> None:
    record = record_of({"content": "x", "event.type": "BIZ", "dt.ingest.format": "mine", "dt.ingest.origin": "shipper"})

    assert record.attributes == {
        "event.type": "LOG",
        "dt.ingest.format": "dtapi/json",
        "dt.openpipeline.source": "/api/v2/logs/ingest",
        "dt.openpipeline.source_type": "extension",
        "dt.ingest.origin": "shipper",
        "dt.ingest.warnings": ["common_attr_corrected"],
    }


def test_warnings_are_the_servers_own() -> None:
    record = record_of({"content": "x", "dt.ingest.warnings": ["made up"]})

    assert record.attributes["dt.ingest.warnings"] == ["common_attr_corrected"]
