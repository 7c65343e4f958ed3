"""Events appear as they arrive, stay put while somebody reads, and wait while paused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess, Event
from tests.endpoint.viewer.page import Page


def live(page: Page) -> None:
    page.wait(lambda: page.text("#live-text") == "Live", "the tail")


def event(content: str, severity: str = "info", **attributes: object) -> Event:
    return {"content": content, "severity": severity, **attributes}


def test_the_empty_page_shows_the_command_that_sends_a_first_event(endpoint: EndpointProcess, open_page: Open) -> None:
    page = open_page(endpoint.url)

    page.wait(lambda: page.text("#empty-title") == "Waiting for the first event", "the empty state")
    assert f"curl -X POST '{endpoint.url}/v2/logs/ingest'" in page.text("#empty-command")


def test_an_event_appears_while_the_page_is_open(endpoint: EndpointProcess, open_page: Open) -> None:
    page = open_page(endpoint.url)
    live(page)

    assert endpoint.post([event("disk full", "error")]) == 204
    page.wait_rows("disk full")
    assert endpoint.post([event("disk mended")]) == 204
    page.wait_rows("disk mended", "disk full")
    assert page.text("#list .row:not([hidden]) .row-level") == "INFO"


def test_a_flood_leaves_the_page_small_and_every_event_reachable(endpoint: EndpointProcess, open_page: Open) -> None:
    page = open_page(endpoint.url)
    live(page)

    for first in range(0, 30_000, 5_000):
        endpoint.post([event(f"drop {n}") for n in range(first, first + 5_000)])

    page.wait(lambda: page.text("#matches") == "30,000 events", "all of them counted")
    page.wait_first("drop 29999")
    assert page.driver.execute_script("return document.querySelectorAll('#list .row').length") < 100
    page.keys("G")
    page.wait_last("drop 0")


def test_the_end_is_one_key_away_also_when_rows_that_came_live_were_let_go(
    endpoint: EndpointProcess, open_page: Open
) -> None:
    page = open_page(endpoint.url)
    live(page)

    for first in range(0, 9_000, 3_000):
        last = f"drop {first + 2_999}"
        endpoint.post([event(f"drop {n}") for n in range(first, first + 3_000)])
        page.wait_first(last)
    page.wait(lambda: page.text("#matches") == "9,000 events", "all of them counted")
    page.keys("G")

    page.wait_last("drop 0")


def test_paused_events_wait_and_come_in_on_resume(endpoint: EndpointProcess, open_page: Open) -> None:
    endpoint.post([event("one")])
    page = open_page(endpoint.url)
    live(page)

    page.keys("p")
    page.wait(lambda: page.text("#live-text") == "Paused", "the pause")
    endpoint.post([event("two"), event("three")])
    page.wait(lambda: page.text("#live-text") == "Paused, 2 new", "the count")
    assert page.rows() == ["one"]
    page.keys("p")

    page.wait(lambda: sorted(page.rows()) == ["one", "three", "two"], "the paused ones")


def test_the_list_does_not_move_under_a_reader(endpoint: EndpointProcess, open_page: Open) -> None:
    endpoint.post([event("read me")])
    page = open_page(endpoint.url)
    live(page)
    page.open_row("read me")

    endpoint.post([event("news")])
    page.wait(lambda: page.text("#pill") == "↑ 1 new", "the pill")
    assert page.rows() == ["read me"]
    page.press("#pill")

    page.wait_rows("news", "read me")


def test_only_matching_events_come_through_a_filter(endpoint: EndpointProcess, open_page: Open) -> None:
    page = open_page(endpoint.url, "#severity=ERROR")
    live(page)

    endpoint.post([event("calm"), event("alarm", "critical"), event("calm again")])

    page.wait_rows("alarm")


def test_the_histogram_follows_what_arrives(endpoint: EndpointProcess, open_page: Open) -> None:
    page = open_page(endpoint.url)
    live(page)

    endpoint.post([event("counted", "warn")])

    page.wait(lambda: page.driver.execute_script("return document.querySelectorAll('.bar-warn').length") == 1, "a bar")
    page.wait(lambda: page.text("#severities [data-severity=WARN]") == "warn\n1", "the count on the chip")


def test_a_source_and_a_refusal_are_in_the_side_panel(endpoint: EndpointProcess, open_page: Open) -> None:
    endpoint.post([event("a"), event("b", **{"log.source": "shop"})])
    assert endpoint.send(b"{", "application/json") == 400
    page = open_page(endpoint.url)

    page.wait(lambda: "shop" in page.text("#sources"), "the source")
    page.wait(lambda: "400\nNot valid JSON" in page.text("#refused"), "the refusal")
    assert page.text("#stats").startswith("2 events stored")


def test_the_page_goes_on_when_the_endpoint_comes_back(tmp_path: Path, open_page: Open) -> None:
    with EndpointProcess(tmp_path) as first:
        first.post([event("before")])
        page = open_page(first.url)
        live(page)
    page.wait(lambda: page.text("#live-text") == "Connecting", "the cut")

    with EndpointProcess(tmp_path, urlsplit(first.url).port or 0) as second:
        try:
            second.post([event("meanwhile")])
            page.wait_rows("meanwhile", "before")
            live(page)
            second.post([event("after")])
            page.wait_rows("after", "meanwhile", "before")
            page.wait(lambda: not page.find("#failure").is_displayed(), "no more complaint")
        finally:
            page.driver.get_log("browser")  # type: ignore[no-untyped-call]  # refused connections are what this test is about
            page.driver.get("about:blank")


def test_pages_that_were_left_hold_no_connection(endpoint: EndpointProcess, open_page: Open) -> None:
    """A browser has six connections for an origin; each open tail takes one."""
    endpoint.post([event("seen")])

    for _ in range(9):
        page = open_page(endpoint.url)
        page.wait_rows("seen")
        live(page)
