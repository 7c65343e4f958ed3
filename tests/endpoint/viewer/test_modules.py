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


# A server of the numbers from 0 to `size`, as pages; `fetches` counts them.
SERVER = """
let fetches = 0;
const size = a[0];
const fetchPage = async ({ order, cursor, limit }) => {
  fetches += 1;
  const from = Number(cursor ?? 0);
  const to = Math.min(size, from + limit);
  const number = at => order === 'newest' ? size - 1 - at : at;
  return { events: Array.from({ length: to - from }, (_, i) => ({ id: String(number(from + i)) })),
           next: to < size ? String(to) : null };
};
const until = async condition => { while (!condition()) await new Promise(done => setTimeout(done, 1)); };
const stay = () => {};
"""


def test_an_event_in_the_first_page_and_in_the_tail_is_shown_once(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    shown = page.run(f"""
        const a = [2]; {SERVER}
        const {{ Feed }} = await import('/viewer/feed.js');
        const feed = new Feed({{ fetchPage, locate: null, onChange: stay, onShift: stay, onError: stay }});
        feed.reset({{ order: 'newest', since: null, until: null }});
        feed.want(0, 10);
        await until(() => feed.at(0));
        const added = feed.prepend([{{ id: '1' }}, {{ id: '2' }}]);
        return [added, feed.length, feed.at(0).id, feed.at(1).id, feed.at(2).id];
    """)

    assert shown == [1, 3, "2", "1", "0"]


def test_pages_far_away_are_let_go_and_come_back_the_same(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    answer = page.run(f"""
        const a = [50000]; {SERVER}
        const {{ PageTable, MAX_ROWS }} = await import('/viewer/pages.js');
        const table = new PageTable({{ fetchPage, locate: null, onChange: stay, onShift: stay, onError: stay }});
        table.reset({{ order: 'newest', since: null, until: null }});
        let most = 0;
        for (let at = 0; at < 50000; at += 400) {{
          table.want(at, at + 40);
          await until(() => table.at(at));
          most = Math.max(most, table.held - MAX_ROWS);
        }}
        const before = fetches;
        if (table.at(0)) return 'the first page is still held';
        table.want(0, 40);
        await until(() => table.at(0));
        return [most <= 0, table.at(0).id, fetches - before];
    """)

    assert answer == [True, "49999", 1]


def test_live_rows_past_the_bound_are_found_in_the_pages_below(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    answer = page.run(f"""
        const a = [7000]; {SERVER}
        const {{ Feed, MAX_LIVE_ROWS }} = await import('/viewer/feed.js');
        const feed = new Feed({{ fetchPage, locate: null, onChange: stay, onShift: stay, onError: stay }});
        feed.reset({{ order: 'newest', since: null, until: null }});
        for (const first of [1000, 4000]) {{
          feed.prepend(Array.from({{ length: 3000 }}, (_, i) => ({{ id: String(first + i), ms: first + i }})));
        }}
        feed.want(MAX_LIVE_ROWS - 1, MAX_LIVE_ROWS + 1);
        await until(() => feed.at(MAX_LIVE_ROWS));
        return [feed.live.length, feed.table.span.until, feed.at(MAX_LIVE_ROWS - 1).id, feed.at(MAX_LIVE_ROWS).id];
    """)

    assert answer == [5000, 2001, "2000", "1999"]
