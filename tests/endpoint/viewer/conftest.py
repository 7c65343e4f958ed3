"""A browser for the session, an endpoint for each test or module; after each test the page is asked what went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.endpoint.viewer.endpoint_process import EndpointProcess
from tests.endpoint.viewer.page import CHROMEDRIVER, CHROMIUM, Page, start_chromium
from tests.endpoint.viewer.shop import EVENTS

Open = Callable[..., Page]

FOREIGN = """
return performance.getEntriesByType('resource').map(e => e.name)
  .filter(name => !name.startsWith(location.origin + '/') && !name.startsWith('data:') && !name.startsWith('blob:'))
"""


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser puts files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[webdriver.Chrome]:
    """A real Chromium; without one these tests are skipped, but fail where CI promises one."""
    if not (CHROMIUM.exists() and CHROMEDRIVER.exists()):
        reason = "the viewer is NOT TESTED: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    os.environ["SE_OFFLINE"] = "true"  # Selenium must not look for a driver elsewhere
    driver = start_chromium(tmp_path_factory.mktemp("profile"), downloads)
    yield driver
    driver.quit()


@pytest.fixture
def endpoint(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[EndpointProcess]:
    """An endpoint with nothing in it; not started when there is no browser to look at it."""
    with EndpointProcess(tmp_path) as process:
        yield process


@pytest.fixture(scope="session")
def shop(chromium: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """An endpoint with the events of `shop.EVENTS`; tests only read it."""
    with EndpointProcess(tmp_path_factory.mktemp("shop")) as process:
        assert process.post(EVENTS) == 204
        yield process


@pytest.fixture
def open_page(chromium: webdriver.Chrome) -> Iterator[Open]:
    """Open a viewer; when the test is over, nothing may have gone wrong in it and nothing may have left its origin."""

    def open_it(url: str, state: str = "") -> Page:
        return Page(chromium, url, state)

    chromium.get_log("browser")  # type: ignore[no-untyped-call]  # of the test before
    yield open_it
    console = chromium.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry["message"] for entry in console if entry["level"] == "SEVERE"] == []
    assert chromium.execute_script("return window.violations") == []
    assert chromium.execute_script(FOREIGN) == []
    chromium.get("about:blank")  # ends the tail before the endpoint ends
