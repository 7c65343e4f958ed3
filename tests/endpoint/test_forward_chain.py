"""One endpoint forwards to another: what the first takes the second has, once, in order, and as the same records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import JSON, EndpointProcess, eventually

COUNT = 300


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Return a file with a token in it."""
    path = tmp_path / "token"
    path.write_text("dt0c01.SAMPLE.X\n")
    return path


def as_read(endpoint: EndpointProcess) -> list[dict[str, object]]:
    """Return the records without their ids, which are each store's own."""
    return [{key: value for key, value in event.items() if key != "id"} for event in endpoint.events()]


def test_what_one_endpoint_takes_the_next_one_gets(start: Start, tmp_path: Path, token_file: Path) -> None:
    tenant = start(store=tmp_path / "tenant")
    chain = ("--forward", f"http://127.0.0.1:{tenant.port}", "--token-file", str(token_file))
    near = start(*chain)
    for number in range(COUNT):
        assert near.ingest({"content": f"event {number}", "n": number, "host": {"name": "h"}}).status == 204
    body = json.dumps({"content": "with attributes", "team": "backend"})
    near.request("POST", "/v2/logs/ingest", body, {**JSON, "X-Dynatrace-Attr": "zone=z"}, {"team": "frontend"})

    eventually(lambda: near.stats()["forwarded"] == COUNT + 1)

    found = as_read(tenant)
    assert [event["content"] for event in found] == [*(f"event {n}" for n in range(COUNT)), "with attributes"]
    assert found == as_read(near)


def test_after_a_restart_nothing_is_sent_again_and_what_waited_goes_on(
    start: Start, tmp_path: Path, token_file: Path
) -> None:
    tenant = start(store=tmp_path / "tenant")
    chain = ("--forward", f"http://127.0.0.1:{tenant.port}", "--token-file", str(token_file))
    near = start(*chain)
    near.ingest({"content": "before"})
    eventually(lambda: near.stats()["waiting"] == 0)
    assert near.stop() == 0
    port = tenant.port
    assert tenant.stop() == 0
    near = start(*chain)
    near.ingest({"content": "while nobody listens"})
    eventually(lambda: near.stats()["waiting"] == 1)
    near.kill()
    tenant = start(store=tmp_path / "tenant", port=port)

    near = start(*chain)
    near.ingest({"content": "after"})
    eventually(lambda: near.stats()["waiting"] == 0)

    assert [event["content"] for event in tenant.events()] == ["before", "while nobody listens", "after"]
