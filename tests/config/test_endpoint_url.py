"""Which URL is posted to, and whether it stays on this host."""

from __future__ import annotations

import pytest

from shipper.config.endpoint_url import host_and_port, is_loopback, request_url

INGEST = "/v2/logs/ingest"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:14499", f"http://127.0.0.1:14499{INGEST}"),
        ("http://127.0.0.1:14499/", f"http://127.0.0.1:14499{INGEST}"),
        (f"http://127.0.0.1:14499{INGEST}", f"http://127.0.0.1:14499{INGEST}"),
        (f"http://127.0.0.1:14499{INGEST}/", f"http://127.0.0.1:14499{INGEST}"),
        ("http://[::1]:14499", f"http://[::1]:14499{INGEST}"),
        ("https://abc.live.dynatrace.com", f"https://abc.live.dynatrace.com/api{INGEST}"),
        ("https://abc.live.dynatrace.com/api/v2", f"https://abc.live.dynatrace.com/api{INGEST}"),
        ("https://managed.example/e/123/api", f"https://managed.example/e/123/api{INGEST}"),
        ("https://gate.example:9999/e/123/api/v2/logs", f"https://gate.example:9999/e/123/api{INGEST}"),
        (f"https://proxy.example/x{INGEST}?a=b", f"https://proxy.example/x{INGEST}?a=b"),
    ],
)
def test_the_ingest_path_is_appended_once(text: str, url: str) -> None:
    assert request_url(text) == url
    assert request_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "127.0.0.1:14499", "ftp://host", "http://", "http://a b/", "http://host:0", "http://host:99999",
        "https://me:s3cret@host", "https://host/?api-token=s3cret", "https://host/#s3cret", "http://[::1",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_posted_to_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        request_url(text)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True),
        ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example.com", False),
        ("127.0.0.1.nip.io", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("url", "place"),
    [("http://h/", ("h", 80)), ("https://h/", ("h", 443)), ("http://[::1]:7/", ("::1", 7))],
)
def test_the_port_is_the_schemes_own_where_none_is_written(url: str, place: tuple[str, int]) -> None:
    assert host_and_port(url) == place
