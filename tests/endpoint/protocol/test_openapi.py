"""The OpenAPI description says what the protocol does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

import shipper.endpoint
from shipper.endpoint.model import StoredRecord
from shipper.endpoint.protocol import LEVELS, limits_for, rfc_3339
from shipper.endpoint.protocol.request import MEDIA_TYPES
from tests.endpoint.protocol.asking import JSON, LINES, TEXT, answer_to, record_of

DESCRIPTION: dict[str, Any] = yaml.safe_load(
    (Path(shipper.endpoint.__file__).parent / "openapi.yaml").read_text(encoding="utf-8")
)
INGEST = DESCRIPTION["paths"]["/v2/logs/ingest"]["post"]

ASKED = [
    pytest.param(b'{"content":"x"}', JSON, [], id="kept"),
    pytest.param(b'[{"content":"x"},3]', JSON, [], id="partly"),
    pytest.param(b'{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}', JSON, [], id="nested"),
    pytest.param(b'{"timestamp":1}', JSON, [], id="too_old"),
    pytest.param(b"", LINES, [], id="empty"),
    pytest.param(b"x", TEXT, [("structure", "deep")], id="constraint"),
    pytest.param(b"x", {"content-type": "text/html"}, [], id="type"),
    pytest.param(b" " * 10_485_761, JSON, [], id="size"),
]


def referred(pointer: str) -> Any:
    """Return what a ``$ref`` names; fail if there is no such thing."""
    found: Any = DESCRIPTION
    assert pointer.startswith("#/")
    for step in pointer[2:].split("/"):
        found = found[step]
    return found


def resolved(node: Any) -> Any:
    """Return *node* with every ``$ref`` replaced by what it names."""
    if isinstance(node, dict):
        if "$ref" in node:
            return resolved(referred(node["$ref"]))
        return {key: resolved(value) for key, value in node.items()}
    return [resolved(value) for value in node] if isinstance(node, list) else node


def test_every_route_of_the_endpoint_is_described() -> None:
    assert set(DESCRIPTION["paths"]) == {
        "/v2/logs/ingest", "/api/v2/logs/ingest", "/", "/v1/events", "/v1/histogram", "/v1/stats", "/v1/tail",
        "/v1/sources", "/v1/refused", "/metrics", "/livez", "/readyz",
    }  # fmt: skip


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    for schema in resolved(DESCRIPTION["components"]["schemas"]).values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert resolved(DESCRIPTION["paths"])["/v1/tail"]["get"]["responses"]["405"]["headers"]["Allow"]["required"]


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for path in DESCRIPTION["paths"].values() for operation in path.values()]

    assert len(names) == len(set(names)) == 12


@pytest.mark.parametrize(("body", "headers", "query"), ASKED)
def test_the_protocols_answers_are_as_described(
    body: bytes, headers: dict[str, str], query: list[tuple[str, str]]
) -> None:
    answer, _, _ = answer_to(body, headers, query)

    described = resolved(INGEST["responses"][str(answer.status)])
    if answer.status == 204:
        assert "content" not in described
    else:
        schema = described["content"][answer.headers["Content-Type"]]["schema"]
        jsonschema.validate(msgspec.json.decode(answer.body), schema)


def test_the_media_types_are_those_that_are_taken() -> None:
    assert set(INGEST["requestBody"]["content"]) == set(MEDIA_TYPES)


def test_the_limits_are_those_that_hold() -> None:
    limits = limits_for("")

    assert f"at most {limits.body_bytes} bytes" in INGEST["requestBody"]["description"]
    assert DESCRIPTION["components"]["schemas"]["Events"]["oneOf"][1]["maxItems"] == limits.events


def test_a_record_as_readers_get_it_is_described() -> None:
    stored = StoredRecord("1", record_of({"content": "x", "list": [1, None], "n": 1.5, "b": True}))
    seen = {"id": stored.id, **msgspec.to_builtins(stored.record)}
    seen["timestamp"] = rfc_3339(seen.pop("timestamp_ms"))

    schema = resolved(DESCRIPTION["components"]["schemas"]["Record"])
    jsonschema.validate(seen, schema)
    assert schema["properties"]["loglevel"]["enum"] == list(LEVELS)
