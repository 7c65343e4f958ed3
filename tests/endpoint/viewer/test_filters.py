"""What is shown is what was asked for, and the URL says so."""

from __future__ import annotations

import time

import pytest
from selenium import webdriver
from selenium.webdriver.support.select import Select

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess
from tests.endpoint.viewer.page import ENTER, Page
from tests.endpoint.viewer.shop import EVENTS, NOW_MS, SCRIPT, SHOWN, TRACE

FIRST_LINE = TRACE.split("\n", maxsplit=1)[0]


def search(page: Page, text: str) -> None:
    page.press("#search")
    page.keys(text, ENTER)


def test_everything_of_the_last_day_is_shown_newest_first(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    page.wait_rows(*SHOWN)
    page.wait(lambda: page.text("#matches") == f"{len(EVENTS)} events", "the number of matches")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("#severity=WARN", ["slow query on orders"], id="status"),
        pytest.param("#severity=ERROR", [FIRST_LINE, "pool exhausted"], id="a_status_is_a_group_of_levels"),
        pytest.param("#severity=CRITICAL", ["pool exhausted"], id="level"),
        pytest.param("#severity=CRITICAL,WARN", ["slow query on orders", "pool exhausted"], id="several"),
        pytest.param("#source=db", ["slow query on orders", "pool exhausted"], id="source"),
        pytest.param("#q=ORDERS+query", ["slow query on orders"], id="every_word_in_any_case"),
        pytest.param("#attr.log.file.path=/var/log/db/current.log&severity=WARN", ["slow query on orders"], id="file"),
        pytest.param("#attr.host.name=web-2&attr.log.source=shop", [SCRIPT, FIRST_LINE], id="attributes_all_of_them"),
        pytest.param(f"#since={NOW_MS - 700_000}&until={NOW_MS - 500_000}", ["slow query on orders"], id="time"),
        pytest.param("#range=1h&severity=INFO", ["restamped early", "restamped late", SCRIPT], id="preset"),
        pytest.param("#source=old&sort=oldest", ["restamped late", "restamped early"], id="oldest_first"),
    ],
)  # fmt: skip
def test_a_shared_link_shows_what_its_sender_saw(
    state: str, expected: list[str], shop: EndpointProcess, open_page: Open
) -> None:
    page = open_page(shop.url, state)

    page.wait_rows(*expected)


def test_a_severity_chip_filters_and_its_active_chip_takes_that_back(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    page.press("#severities [data-severity=WARN]")
    page.wait_rows("slow query on orders")
    assert page.find("#severities [data-severity=WARN]").get_attribute("aria-pressed") == "true"
    assert page.driver.current_url.endswith("#severity=WARN")
    page.press("#active button[aria-label='Remove filter severity warn']")

    page.wait_rows(*SHOWN)


def test_text_is_searched_while_typing_and_marked(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    search(page, "pool")

    page.wait_rows("pool exhausted")
    assert page.text("#list mark") == "pool"


def test_a_search_for_markup_finds_it_as_text(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    search(page, "<script>alert(1)")

    page.wait_rows(SCRIPT)
    assert page.text("#list mark") == "<script>alert(1)"


def test_a_press_on_an_attribute_filters_by_it(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)
    page.open_row("slow query on orders")

    page.press("#detail-attributes .value[title*='host.name']")

    page.wait_rows("slow query on orders", "pool exhausted")
    assert page.text("#active").split() == ["host.name:", "db-1", "×"]


def test_the_source_and_the_file_can_be_picked(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)
    page.wait(lambda: "db" in page.text("#source"), "the sources")

    Select(page.find("#source")).select_by_visible_text("old")
    page.wait_rows("restamped early", "restamped late")
    page.press("#more-button")
    page.keys("/var/log/nothing.log", ENTER)
    page.wait(lambda: page.text("#empty-title") == "Nothing matches", "nothing")
    page.press("#empty-actions button")

    page.wait_rows(*SHOWN)


def test_back_and_forward_go_through_the_filters(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)
    page.press("#severities [data-severity=WARN]")
    page.wait_rows("slow query on orders")
    page.press("#severities [data-severity=CRITICAL]")
    page.wait_rows("slow query on orders", "pool exhausted")

    page.driver.back()
    page.wait_rows("slow query on orders")
    page.driver.back()
    page.wait_rows(*SHOWN)
    page.driver.forward()
    page.wait_rows("slow query on orders")


def test_dragging_over_the_histogram_zooms_and_z_zooms_out(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url, f"#since={NOW_MS - 3_600_000}&until={NOW_MS}")
    page.wait(lambda: page.driver.find_elements("css selector", "#histogram .bar"), "bars")
    chart = page.find("#histogram")
    width = int(chart.size["width"])

    # From 17 to 8 minutes before the end; the driver counts from the middle.
    drag = webdriver.ActionChains(page.driver).move_to_element_with_offset(chart, round(width * 0.23), 0)
    drag.click_and_hold().move_by_offset(round(width * 0.14), 0).release().perform()
    page.wait_rows("slow query on orders", "pool exhausted")
    assert page.text("#live-text") == "Not live"
    page.keys("z")

    page.wait(lambda: len(page.rows()) > 2, "more rows")


def test_original_time_sorts_what_was_stamped_anew(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url, "#source=old")
    page.wait_rows("restamped early", "restamped late")

    Select(page.find("#sort")).select_by_value("original")

    page.wait_rows("restamped late", "restamped early")


def test_utc_and_local_time_change_places(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url, "#source=db&severity=WARN")
    page.wait_rows("slow query on orders")
    page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kathmandu"})
    page.driver.refresh()
    page.wait_rows("slow query on orders")
    at = (NOW_MS - 600_000) / 1000
    local, utc = (time.strftime("%H:%M:%S", time.gmtime(at + offset)) for offset in (20_700, 0))

    assert local in page.text("#list .row:not([hidden]) .row-time")
    assert utc in str(page.find("#list .row:not([hidden]) .row-time").get_attribute("title"))
    page.keys("u")

    page.wait(lambda: utc in page.text("#list .row:not([hidden]) .row-time"), "UTC")
    page.keys("u")
    page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
