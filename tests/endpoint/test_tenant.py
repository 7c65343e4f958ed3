"""Where the token may go, and to whom: URLs, certificates, redirects."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest
import trustme

from shipper.endpoint.tenant import Tenant, authorization, ingest_url
from shipper.endpoint.verdicts import Verdict, judge, message_of, wait_of
from shipper.errors import ConfigError, EndpointUnreachable
from tests.endpoint.tenant_double import TOKEN, TenantDouble, error, raw_server

BODY = gzip.compress(b"[{}]")


def post(tenant_double: TenantDouble, tls: ssl.SSLContext | None = None, ca_file: Path | None = None) -> int:
    async def scenario() -> int:
        async with (
            tenant_double.serving(tls) as double,
            Tenant(double.url, lambda: TOKEN, ca_file=ca_file, answer_seconds=5) as tenant,
        ):
            return (await tenant.post(BODY)).status

    return asyncio.run(scenario())


def tls_for(authority: trustme.CA, name: str, tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return context, ca_file


def test_a_certificate_of_the_named_authority_is_trusted(tmp_path: Path) -> None:
    tls, ca_file = tls_for(trustme.CA(), "127.0.0.1", tmp_path)

    assert post(TenantDouble(), tls, ca_file) == 204


def test_a_certificate_of_another_authority_is_not_and_gets_no_token(tmp_path: Path) -> None:
    _, ca_file = tls_for(trustme.CA(), "127.0.0.1", tmp_path)
    tls, _ = tls_for(trustme.CA(), "127.0.0.1", tmp_path / "..")
    double = TenantDouble()

    for trusted in (None, ca_file):
        with pytest.raises(EndpointUnreachable, match=r"the certificate of 127\.0\.0\.1 is not trusted"):
            post(double, tls, trusted)
    assert double.got == []


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    tls, ca_file = tls_for(trustme.CA(), "elsewhere.example", tmp_path)
    double = TenantDouble()

    with pytest.raises(EndpointUnreachable, match="not trusted"):
        post(double, tls, ca_file)
    assert double.got == []


def test_a_redirect_is_not_followed() -> None:
    double = TenantDouble(lambda events, number: error(307, "", Location="/elsewhere"))

    assert post(double) == 307
    assert len(double.got) == 1


def test_nobody_listening_is_said_without_the_token() -> None:
    async def scenario() -> None:
        async with Tenant("http://127.0.0.1:1", lambda: TOKEN) as tenant:
            await tenant.post(BODY)

    with pytest.raises(EndpointUnreachable) as caught:
        asyncio.run(scenario())
    assert TOKEN not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert "ClientConnectorError" in str(caught.value)


def test_a_silent_tenant_is_left_in_time() -> None:
    async def scenario() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            del writer
            await reader.read()

        async with raw_server(silent) as url, Tenant(url, lambda: TOKEN, answer_seconds=0.2) as tenant:
            await tenant.post(BODY)

    with pytest.raises(EndpointUnreachable, match="no answer in time"):
        asyncio.run(scenario())


@pytest.mark.parametrize(("url", "expected"), [
    ("https://abc.live.dynatrace.com", "https://abc.live.dynatrace.com/api/v2/logs/ingest"),
    ("https://abc.live.dynatrace.com/", "https://abc.live.dynatrace.com/api/v2/logs/ingest"),
    ("https://abc.live.dynatrace.com/api/v2", "https://abc.live.dynatrace.com/api/v2/logs/ingest"),
    ("https://abc.live.dynatrace.com/api/v2/logs/ingest", "https://abc.live.dynatrace.com/api/v2/logs/ingest"),
    ("https://m.example/e/abc/", "https://m.example/e/abc/api/v2/logs/ingest"),
    ("https://ag.example:9999/e/abc/api/v2/logs/ingest/", "https://ag.example:9999/e/abc/api/v2/logs/ingest"),
    ("https://m.example/e/abc?structure=raw", "https://m.example/e/abc/api/v2/logs/ingest?structure=raw"),
    ("http://127.0.0.1:14499/v2/logs/ingest", "http://127.0.0.1:14499/v2/logs/ingest"),
    ("http://[::1]:8080", "http://[::1]:8080/api/v2/logs/ingest"),
    ("http://localhost", "http://localhost/api/v2/logs/ingest"),
])  # fmt: skip
def test_the_ingest_path_is_appended_once(url: str, expected: str) -> None:
    assert ingest_url(url) == expected


@pytest.mark.parametrize("url", [
    "http://abc12345.live.dynatrace.com", "http://127.0.0.1.example.com", "ftp://m.example", "m.example", "https://",
    "", "https://user:secret@m.example", "https://m.example/api/v2/logs/ingest?api-token=secret",
    "https://m.example/?Api-Token=secret",
])  # fmt: skip
def test_a_url_that_would_show_the_token_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ingest_url(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("token", "header"), [
    ("dt0c01.A.B", "Api-Token dt0c01.A.B"), (" dt0c01.A.B\n", "Api-Token dt0c01.A.B"),
    ("Bearer dt0s16.A", "Bearer dt0s16.A"),
])  # fmt: skip
def test_a_token_gets_its_scheme(token: str, header: str) -> None:
    assert authorization(token) == header


@pytest.mark.parametrize("token", ["", " \n", "a\nb", "töken", "a\0b"])
def test_what_is_no_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        authorization(token)

    assert not token.strip() or token not in str(caught.value)


def test_a_missing_ca_file_is_the_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")

    for name in ("none.pem", "bad.pem"):
        with pytest.raises(ConfigError, match=name):
            Tenant("https://m.example", lambda: TOKEN, ca_file=tmp_path / name)


@pytest.mark.parametrize(("status", "verdict"), [
    (200, Verdict.DELIVERED), (202, Verdict.DELIVERED), (204, Verdict.DELIVERED), (302, Verdict.HOLD),
    (400, Verdict.REFUSED), (401, Verdict.HOLD), (402, Verdict.HOLD), (403, Verdict.HOLD), (404, Verdict.HOLD),
    (405, Verdict.HOLD),
    (408, Verdict.RETRY), (410, Verdict.HOLD), (413, Verdict.TOO_LARGE), (415, Verdict.HOLD), (425, Verdict.RETRY),
    (429, Verdict.RETRY), (500, Verdict.RETRY), (501, Verdict.HOLD), (502, Verdict.RETRY), (503, Verdict.RETRY),
    (504, Verdict.RETRY), (520, Verdict.RETRY), (100, Verdict.HOLD),
])  # fmt: skip
def test_each_status_has_its_verdict(status: int, verdict: Verdict) -> None:
    assert judge(status, {}, b"", 0.0).verdict is verdict


@pytest.mark.parametrize(("body", "message"), [
    (b'{"error":{"code":400,"message":"no\\n  good"}}', "no good"),
    (b'{"success":{"message":"done"}}', "done"),
    (b'{"error":"text"}', ""),
    (b"<html><b>Bad</b> gateway</html>", "Bad gateway"),
    (b"\xff\xfe", "\ufffd\ufffd"),
    (b"", ""),
    (b"x" * 500, "x" * 197 + "..."),
])  # fmt: skip
def test_a_message_is_found_in_any_body(body: bytes, message: str) -> None:
    assert message_of(body) == message


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("soon", None), ("-5", None), ("3", 3.0), ("²", None)])
def test_a_senseless_retry_after_is_none(text: str, seconds: float | None) -> None:
    assert wait_of(text, 0.0) == seconds
