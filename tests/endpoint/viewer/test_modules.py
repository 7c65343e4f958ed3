"""The page's pure functions, asked in the browser that runs them."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess


def ask(open_page: Open, shop: EndpointProcess, module: str, expression: str, *arguments: object) -> object:
    page = open_page(shop.url)
    return page.run(
        f"const m = await import('/viewer/{module}.js'); const a = {json.dumps(arguments)}; return {expression};"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param('say "hi", now', '"say ""hi"", now"', id="quotes_and_commas"),
        pytest.param("two\nlines", '"two\nlines"', id="lines"),
        pytest.param("=HYPERLINK(1)", "'=HYPERLINK(1)", id="formula"),
        pytest.param("@SUM(1,2)", '"\'@SUM(1,2)"', id="formula_with_comma"),
        pytest.param("-2+3", "'-2+3", id="formula_with_sign"),
        pytest.param("-2.5", "-2.5", id="number"),
        pytest.param(["a", 1], '"[""a"",1]"', id="array"),
        pytest.param(None, "", id="null"),
    ],
)
def test_a_csv_field_is_text_for_every_spreadsheet(
    value: object, expected: str, shop: EndpointProcess, open_page: Open
) -> None:
    assert ask(open_page, shop, "export", "m.csvField(a[0])", value) == expected


def test_a_curl_of_an_old_event_leaves_its_stamp_out(shop: EndpointProcess, open_page: Open) -> None:
    event = {
        "content": "it's old", "loglevel": "WARN", "timestamp": "2026-01-01T00:00:00.000Z", "ms": 1_767_225_600_000,
        "attributes": {"log.source": "shop", "dt.ingest.warnings": ["content_trimmed"]},
    }  # fmt: skip
    command = ask(open_page, shop, "export", "m.curl(a[0], 'http://127.0.0.1:1', 1867225600000)", event)

    words = shlex.split(str(command).replace("\\\n", ""))
    assert words[:5] == ["curl", "-sS", "-X", "POST", "http://127.0.0.1:1/v2/logs/ingest"]
    assert json.loads(words[-1]) == [{"content": "it's old", "severity": "warn", "log.source": "shop"}]


@pytest.mark.parametrize(
    "link",
    [
        "#",
        "#range=1h&severity=ERROR%2CDEBUG&source=shop&q=a+b%26c&attr.host.name=web%3D1&sort=oldest",
        "#since=1767225600000&until=1767225600001&live=0&record=17%401767225600000",
    ],
)
def test_the_url_holds_all_of_the_state(link: str, shop: EndpointProcess, open_page: Open) -> None:
    assert ask(open_page, shop, "state", "m.toHash(m.parseHash(a[0]))", link) == link


@pytest.mark.parametrize("link", ["#range=never&sort=up&severity=LOUD&since=9&until=8&record=x", "#&&=", "#%zz"])
def test_a_broken_link_shows_the_default(link: str, shop: EndpointProcess, open_page: Open) -> None:
    assert ask(open_page, shop, "state", "m.toHash(m.parseHash(a[0]))", link) == "#"
