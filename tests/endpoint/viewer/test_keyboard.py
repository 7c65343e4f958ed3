"""All of it without a mouse, in either theme, at any width."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess
from tests.endpoint.viewer.page import ENTER, ESCAPE, Page
from tests.endpoint.viewer.shop import SHOWN

# Relative luminance and contrast as WCAG 2.2 defines them, of every text in sight on its own ground.
CONTRAST = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
                        return canvas.getImageData(0, 0, 1, 1).data; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
                      if (c[3] > 250) return c; } return [255, 255, 255]; };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const poor = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest('script, noscript, option')) continue;
  const style = getComputedStyle(element);
  const ink = rgba(element.namespaceURI.endsWith('svg') ? style.fill : style.color);
  const [a, b] = [light(ink), light(ground(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) poor.add(`${element.className} ${walker.currentNode.data} ${ratio.toFixed(2)}`);
}
return [...poor];
"""
NAMELESS = """
return [...document.querySelectorAll('button, input, select')].filter(e => e.checkVisibility())
  .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.title))
  .map(e => e.outerHTML)
"""


@pytest.fixture
def page(shop: EndpointProcess, open_page: Open) -> Page:
    page = open_page(shop.url)
    page.wait_rows(*SHOWN)
    return page


@pytest.fixture
def resize(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def marked(page: Page) -> str:
    rows = page.driver.find_elements(By.CSS_SELECTOR, "#list .row[aria-selected=true] .row-content")
    return rows[0].text if rows else ""


def test_j_and_k_move_enter_opens_escape_closes(page: Page) -> None:
    page.keys("j")
    page.wait(lambda: marked(page) == SHOWN[0], "the first row")
    page.keys("jj")
    page.wait(lambda: marked(page) == SHOWN[2], "the third row")
    page.keys("k", ENTER)
    page.wait(lambda: page.text("#detail-content") == SHOWN[1], "the record")
    page.keys("j")
    page.wait(lambda: page.text("#detail-content") == SHOWN[2], "the next record")
    page.keys(ESCAPE)
    page.wait(lambda: not page.find("#detail").is_displayed(), "the list alone")
    assert marked(page) == SHOWN[2]
    page.keys(ESCAPE)
    page.wait(lambda: marked(page) == "", "no mark")


def test_slash_searches_and_letters_in_the_search_are_letters(page: Page) -> None:
    page.keys("/")
    page.keys("pjk")

    assert page.find("#search").get_attribute("value") == "pjk"
    assert page.text("#live-text") != "Paused"


def test_question_mark_shows_the_keys(page: Page) -> None:
    page.keys("?")
    page.wait(lambda: page.find("#help").is_displayed(), "the help")
    assert "Pause or resume" in page.text("#help")

    page.keys(ESCAPE)

    page.wait(lambda: not page.find("#help").is_displayed(), "the page")


def test_t_changes_the_theme_and_it_stays(page: Page, shop: EndpointProcess, open_page: Open) -> None:
    dark = "return getComputedStyle(document.documentElement).colorScheme === 'dark'"
    page.keys("tt")
    page.wait(lambda: page.driver.execute_script(dark), "the dark theme")

    again = open_page(shop.url)
    assert again.driver.execute_script(dark)
    again.keys("t")

    again.wait(lambda: not again.driver.execute_script(dark), "the system's theme")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_readable(theme: str, page: Page, resize: webdriver.Chrome) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    resize.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.keys("j", ENTER)
    page.wait(lambda: page.find("#detail").is_displayed(), "the record")
    page.wait(lambda: page.text("#sources") != "", "the sources")

    assert page.driver.execute_script(CONTRAST) == []


def test_every_control_has_a_name(page: Page) -> None:
    page.keys("j", ENTER)
    page.wait(lambda: page.find("#detail").is_displayed(), "the record")

    assert page.driver.execute_script(NAMELESS) == []


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_screen_shows_rows_and_record_without_scrolling_sideways(
    width: int, page: Page, resize: webdriver.Chrome
) -> None:
    metrics = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    resize.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.wait(lambda: not page.find("#side").is_displayed(), "the side panel away")
    page.open_row(SHOWN[0])

    assert page.find("#detail").is_displayed()
    assert page.driver.execute_script("return document.documentElement.scrollWidth") == width
