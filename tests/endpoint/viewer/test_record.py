"""The open record: all of it, as text, to be copied, linked and sent again; and the export of all that match."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

from tests.endpoint.viewer.conftest import Open
from tests.endpoint.viewer.endpoint_process import EndpointProcess
from tests.endpoint.viewer.page import Page
from tests.endpoint.viewer.shop import SCRIPT, SHOWN, TRACE
from tests.patience import PATIENCE_SECONDS

# The clipboard of a browser without a screen is not to be relied on: what is put there is caught.
CATCH = "window.copied = []; navigator.clipboard.writeText = async text => { window.copied.push(text); };"


def copied(page: Page, button: str) -> str:
    page.driver.execute_script(CATCH)
    page.press(button)
    return str(page.wait(lambda: page.driver.execute_script("return window.copied[0]"), "the copy"))


def test_a_record_shows_its_whole_content_and_all_attributes(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    page.open_row(TRACE.split("\n", maxsplit=1)[0])

    assert page.find("#detail-content").get_attribute("textContent") == TRACE
    shown = page.attributes()
    assert shown["trace.id"] == "abc"
    assert shown["host.name"] == "web-2"
    assert shown["log.file.path"] == "/var/log/shop/current.log"
    assert page.text("#detail-level") == "ERROR"


def test_a_record_that_was_stamped_anew_shows_both_times(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    page.open_row("restamped early")

    assert [dt.text for dt in page.driver.find_elements("css selector", "#detail-times dt")] == [
        "timestamp",
        "original",
    ]


def test_markup_in_an_event_is_text_everywhere(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)

    page.open_row(SCRIPT)

    assert page.text("#detail-content") == SCRIPT
    assert page.driver.execute_script("return document.querySelectorAll('main script, main img').length") == 0
    assert page.driver.execute_script("return document.querySelectorAll('script').length") == 2  # the page's own


def test_copied_json_is_the_event(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)
    page.open_row("slow query on orders")

    event = json.loads(copied(page, "#copy-json"))

    assert event["content"] == "slow query on orders"
    assert (event["loglevel"], event["status"]) == ("WARN", "WARN")
    assert event["attributes"]["host.name"] == "db-1"


def test_copied_curl_sends_the_same_event_again(endpoint: EndpointProcess, open_page: Open) -> None:
    content = 'it\'s "quoted" $(touch x) `y`\n\\n'
    endpoint.post([{"content": content, "severity": "warn", "a.b": ["x", "y"], "n": 5}])
    page = open_page(endpoint.url)
    page.open_row(content.split("\n", maxsplit=1)[0])
    command = copied(page, "#copy-curl")
    page.press("#detail-close")

    subprocess.run(["sh", "-c", command], check=True, timeout=PATIENCE_SECONDS)

    page.wait(lambda: len(page.rows()) == 2, "the twin")
    twins = page.run("return (await (await fetch('/v1/events')).json()).events")
    assert isinstance(twins, list)
    first, second = ({**twin, "id": ""} for twin in twins)
    assert first == second
    assert first["content"] == content


def test_a_link_opens_its_record(shop: EndpointProcess, open_page: Open) -> None:
    page = open_page(shop.url)
    page.open_row("pool exhausted")
    link = copied(page, "#copy-link")

    other = open_page(shop.url, "#" + link.partition("#")[2])

    other.wait(lambda: other.text("#detail-content") == "pool exhausted", "the record")


def exported(page: Page, downloads: Path, kind: str) -> str:
    before = set(downloads.iterdir())
    page.press("#export-button")
    page.press(f"#export-menu [data-format={kind}]")

    def fresh() -> list[Path]:
        return [path for path in set(downloads.iterdir()) - before if path.suffix == f".{kind}"]

    return page.wait(fresh, "the file")[0].read_bytes().decode()


def test_ndjson_has_every_match_and_every_field(shop: EndpointProcess, open_page: Open, downloads: Path) -> None:
    page = open_page(shop.url)

    events = [json.loads(line) for line in exported(page, downloads, "ndjson").splitlines()]

    assert [event["content"].split("\n")[0] for event in events] == SHOWN
    assert events[0]["attributes"]["log.source"] == "old"


def test_csv_has_every_match_and_only_those(shop: EndpointProcess, open_page: Open, downloads: Path) -> None:
    page = open_page(shop.url, "#source=shop")

    rows = list(csv.DictReader(exported(page, downloads, "csv").splitlines(keepends=True)))

    assert [row["content"] for row in rows] == [SCRIPT, TRACE, "order 1 accepted", "cache warmed"]
    assert json.loads(rows[1]["attributes"])["trace.id"] == "abc"


def test_an_export_goes_through_all_pages(endpoint: EndpointProcess, open_page: Open, downloads: Path) -> None:
    endpoint.post([{"content": f"line {n}"} for n in range(2_345)])
    page = open_page(endpoint.url)

    lines = exported(page, downloads, "ndjson").splitlines()

    assert len({json.loads(line)["content"] for line in lines}) == len(lines) == 2_345
