"""What an agent has not read yet is told by source, as it was at its last request."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from shipper.endpoint.attached import MOST_SOURCES, Attached, Unread
from tests.endpoint.endpoint_process import JSON, EndpointProcess, eventually


@pytest.mark.parametrize(
    ("header", "source", "unread"),
    [
        pytest.param("shop=120&web=0", "shop", Unread(120, 7), id="bytes"),
        pytest.param("shop=120&web=0", "web", Unread(0, 7), id="none_left"),
        pytest.param(urlencode({"a b&=ü": 3}), "a b&=ü", Unread(3, 7), id="any_name"),
        pytest.param("shop=-1", "shop", None, id="negative"),
        pytest.param("shop=1e9", "shop", None, id="no_whole_number"),
        pytest.param("shop=" + "9" * 30, "shop", None, id="more_than_there_is"),
        pytest.param("&".join(f"s{n}=1" for n in range(MOST_SOURCES + 1)), "s0", None, id="too_many"),
        pytest.param("x" * 40_000, "x", None, id="too_long"),
        pytest.param("", "shop", None, id="nothing"),
    ],
)
def test_a_header_is_taken_for_what_it_says(header: str, source: str, unread: Unread | None) -> None:
    attached = Attached()

    attached.note(header, 7)

    assert attached.of(source) == unread


def test_a_source_shows_what_its_agent_has_not_read(tmp_path: Path) -> None:
    endpoint = EndpointProcess(tmp_path / "store")
    try:
        body = b'[{"content":"a","log.source":"shop"},{"content":"b","log.source":"other"}]'
        reply = endpoint.request("POST", "/v2/logs/ingest", body, JSON | {"X-Shipper-Unread": "shop=4096"})

        def sources() -> dict[object, dict[str, object]]:
            listed = endpoint.request("GET", "/v1/sources").json()["sources"]
            assert isinstance(listed, list)
            return {source["source"]: source for source in listed}

        assert reply.status == 204
        eventually(lambda: len(sources()) == 2)
        assert sources()["shop"]["unread_bytes"] == 4096
        assert "unread_bytes" not in sources()["other"]
    finally:
        endpoint.kill()
