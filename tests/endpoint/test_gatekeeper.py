"""Who may ask: only a client that called us by a loopback name, and no page but our own."""

from collections.abc import Sequence

import pytest

from shipper.endpoint.gatekeeper import is_ours, refusal

PORT = 14499


def ask(origins: Sequence[str] = (), sites: Sequence[str] = (), target: str = "/v2/logs/ingest") -> str | None:
    return refusal(port=PORT, hosts=["localhost:14499"], origins=origins, fetch_sites=sites, target=target)


@pytest.mark.parametrize(
    "host", ["localhost:14499", "LocalHost:14499", "127.0.0.1:14499", "[::1]:14499", " 127.0.0.1:14499 "]
)
def test_a_loopback_name_with_our_port_is_ours(host: str) -> None:
    assert is_ours(host, PORT)


@pytest.mark.parametrize(
    "host",
    [
        "", "localhost", "127.0.0.1", "localhost:14498", "localhost:014499:1", "attacker.example:14499",
        "localhost.attacker.example:14499", "127.0.0.1.attacker.example:14499", "127.0.0.2:14499", "0.0.0.0:14499",
        "[::]:14499", "::1:14499", "2130706433:14499", "localhost:14499/", "user@localhost:14499", "localhost:144990",
    ],
)  # fmt: skip
def test_any_other_name_or_port_is_not(host: str) -> None:
    assert not is_ours(host, PORT)


def test_a_name_without_port_means_port_80() -> None:
    assert is_ours("localhost", 80)
    assert not is_ours("localhost", 81)


@pytest.mark.parametrize("hosts", [[], ["localhost:14499", "localhost:14499"]], ids=["missing", "twice"])
def test_the_host_header_stands_exactly_once(hosts: list[str]) -> None:
    assert refusal(port=PORT, hosts=hosts, origins=[], fetch_sites=[], target="/") is not None


@pytest.mark.parametrize(
    "origin", ["http://localhost:14499", "http://127.0.0.1:14499", "http://[::1]:14499", "HTTP://LOCALHOST:14499"]
)
def test_our_own_page_may_ask(origin: str) -> None:
    assert ask(origins=[origin]) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "https://localhost:14499", "http://localhost:3000", "http://attacker.example",
        "http://localhost:14499.attacker.example", "http://attacker.example:14499", "file://", "http://localhost:14499/x",
    ],
)  # fmt: skip
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert ask(origins=[origin]) is not None


def test_one_foreign_origin_among_our_own_is_refused() -> None:
    assert ask(origins=["http://localhost:14499", "http://attacker.example"]) is not None


@pytest.mark.parametrize(
    ("site", "allowed"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("", False), ("x", False)],
)
def test_only_fetches_of_our_own_page_or_of_the_user_pass(site: str, allowed: bool) -> None:
    assert (ask(sites=[site]) is None) is allowed


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/v1/events?q=x", True),
        ("http://localhost:14499/v1/events", True),
        ("http://localhost:14499", True),
        ("http://attacker.example/v1/events", False),
        ("https://localhost:14499/", False),
        ("attacker.example:14499", False),
    ],
)
def test_an_absolute_target_counts_like_the_host(target: str, allowed: bool) -> None:
    assert (ask(target=target) is None) is allowed
