"""A hundred thousand events: few elements, few rows held, any place reached by one pull at the scroll bar."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess, Event, stamp
from tests.endpoint.viewer.page import Page
from tests.endpoint.viewer.shop import NOW_MS

EVENTS = 100_000
BATCH = 10_000
HOURS_MS = 6 * 3_600_000
ROW_PIXELS = 24


@pytest.fixture(scope="module")
def crowd(chromium: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """Event n is the n-th oldest; four share each instant."""
    with EndpointProcess(tmp_path_factory.mktemp("crowd")) as process:
        for first in range(0, EVENTS, BATCH):
            batch: list[Event] = [
                {"content": f"event {n}", "timestamp": stamp(NOW_MS - HOURS_MS + n // 4 * 4 * HOURS_MS // EVENTS)}
                for n in range(first, first + BATCH)
            ]
            assert process.post(batch) == 204
        yield process


def numbers(page: Page) -> list[int]:
    return [int(found[1]) for row in page.rows() if (found := re.fullmatch(r"event (\d+)", row))]


def elements(page: Page) -> int:
    return int(page.driver.execute_script("return document.querySelectorAll('#list .row').length"))


def scroll_to(page: Page, share: float) -> None:
    script = "const list = document.querySelector('#list'); list.scrollTop = list.scrollHeight * arguments[0]"
    page.driver.execute_script(script, share)


def open_crowd(open_page: Open, crowd: EndpointProcess) -> Page:
    page = open_page(crowd.url)
    page.wait(lambda: page.text("#matches") == "100,000 events", "the count")
    return page


def wait_at(page: Page, number: int, within: int) -> list[int]:
    """Return the events in sight once a whole window of them is there, the first one near *number*."""

    def there() -> list[int]:
        shown = numbers(page)
        return shown if len(shown) > 20 and abs(shown[0] - number) <= within else []

    return page.wait(there, f"rows near event {number}")


def is_unbroken(shown: list[int]) -> bool:
    return shown == list(range(shown[0], shown[0] - len(shown), -1))


def test_the_scroll_bar_reaches_any_place(crowd: EndpointProcess, open_page: Open) -> None:
    page = open_crowd(open_page, crowd)

    for share in (0.5, 0.93, 0.2):
        scroll_to(page, share)
        assert is_unbroken(wait_at(page, round(EVENTS * (1 - share)), within=100))
        assert elements(page) < 100

    scroll_to(page, 1.0)
    page.wait(lambda: numbers(page)[-1:] == [0], "the oldest event")
    scroll_to(page, 0)
    page.wait(lambda: numbers(page)[:1] == [EVENTS - 1], "the newest event")


def test_scrolling_through_loses_and_doubles_nothing(crowd: EndpointProcess, open_page: Open) -> None:
    page = open_crowd(open_page, crowd)
    seen = set[int]()

    for top in range(0, 40_000, 600):
        page.driver.execute_script("document.querySelector('#list').scrollTop = arguments[0]", top)
        shown = wait_at(page, EVENTS - 1 - top // ROW_PIXELS, within=12)
        assert is_unbroken(shown)
        seen.update(shown)

    assert len(seen) == max(seen) - min(seen) + 1
    assert elements(page) < 100


def test_the_way_back_from_a_far_place_is_whole(crowd: EndpointProcess, open_page: Open) -> None:
    page = open_crowd(open_page, crowd)
    scroll_to(page, 0.5)
    at = wait_at(page, EVENTS // 2, within=100)[0]

    for _ in range(60):
        at += 600 // ROW_PIXELS
        page.driver.execute_script("document.querySelector('#list').scrollTop -= 600")
        assert is_unbroken(wait_at(page, at, within=2))
