"""The viewer in a real Chromium, as a person would use it: what is in sight, what can be pressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.patience import PATIENCE_SECONDS

CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--window-size=1440,900",
)  # fmt: skip
# Every violation of the page's policy, from before its first script on.
WATCH = """
window.violations = [];
addEventListener('securitypolicyviolation', e => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
ROWS = """
return [...document.querySelectorAll('#list .row:not([hidden])')]
  .filter(row => row.querySelector('.row-time').textContent)
  .sort((a, b) => a.getAttribute('aria-posinset') - b.getAttribute('aria-posinset'))
  .map(row => row.querySelector('.row-content').textContent);
"""
SETTLED = "return !document.querySelector('#matches').textContent.startsWith('Loading')"

T = TypeVar("T")


def start_chromium(profile: Path, downloads: Path) -> webdriver.Chrome:
    """Return a new browser with an empty *profile*."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    return driver


class Page:
    """One endpoint's viewer."""

    def __init__(self, driver: webdriver.Chrome, url: str, state: str = "") -> None:
        """Open it with *state* behind the #."""
        self.driver = driver
        self.url = url
        driver.get("about:blank")
        driver.get(f"{url}/{state}")
        self.wait(lambda: driver.execute_script(SETTLED), "the first answer")

    def wait(self, condition: Callable[[], T], what: str) -> T:
        """Return the first true value of *condition*."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        value = condition()
        while not value:
            if time.monotonic() > deadline:
                rows = self.rows()
                raise AssertionError(f"waited in vain for {what}; rows: {rows[:2]} to {rows[-2:]}")
            time.sleep(0.02)
            value = condition()
        return value

    def wait_rows(self, *contents: str) -> None:
        """Wait until these and no others are the rows in sight, in this order."""
        self.wait(lambda: self.rows() == list(contents), f"rows {contents}")

    def wait_first(self, content: str) -> None:
        """Wait until the row with *content* is on top."""
        self.wait(lambda: self.rows()[:1] == [content], f"{content} on top")

    def wait_last(self, content: str) -> None:
        """Wait until the row with *content* is the last one in the page."""
        self.wait(lambda: self.rows()[-1:] == [content], f"{content} at the end")

    def rows(self) -> list[str]:
        """Return the contents of the rows in the page, in order."""
        return list(self.driver.execute_script(ROWS))

    def find(self, selector: str) -> WebElement:
        """Return the element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the text in sight of the element; "" when it is hidden."""
        try:
            return self.find(selector).text
        except StaleElementReferenceException:
            return self.find(selector).text

    def press(self, selector: str) -> None:
        """Press a button."""
        self.find(selector).click()

    def keys(self, *keys: str) -> None:
        """Type, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def open_row(self, content: str) -> None:
        """Press the row with *content*."""
        self.wait(lambda: content in self.rows(), f"row {content}")
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#list .row:not([hidden])")
        next(row for row in rows if row.find_element(By.CSS_SELECTOR, ".row-content").text == content).click()
        self.wait(lambda: self.find("#detail").is_displayed(), "the record")

    def attributes(self) -> dict[str, str]:
        """Return the open record's attributes as they are shown."""
        pairs = self.driver.find_elements(By.CSS_SELECTOR, "#detail-attributes .attribute")
        return {pair.find_element(By.TAG_NAME, "dt").text: pair.find_element(By.TAG_NAME, "dd").text for pair in pairs}

    def run(self, script: str) -> object:
        """Return what *script* (the body of an async function) returns in the page."""
        wrapped = f"const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(`failed: ${{e}}`))"
        result: object = self.driver.execute_async_script(wrapped)
        return result


ESCAPE, ENTER = Keys.ESCAPE, Keys.ENTER
