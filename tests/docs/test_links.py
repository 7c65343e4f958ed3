"""No link of README.md and docs/ leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, prose

_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_INDEX = ROOT / "docs" / "index.md"


def links(page: Path) -> list[str]:
    without_code = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", prose(page), flags=re.DOTALL)
    return [target for target in _LINK.findall(without_code) if not re.match(r"[a-z]+:", target)]


def broken(page: Path) -> list[str]:
    """Return the links of *page* whose file does not exist or has no such heading."""
    wrong = list[str]()
    for target in links(page):
        name, _, anchor = unquote(target).partition("#")
        aim = (page.parent / name).resolve() if name else page
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(aim)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if page != _INDEX], ids=lambda page: page.name)
def test_every_page_is_reached_from_the_first_ones(page: Path) -> None:
    firsts = [*links(_INDEX), *links(PAGES[0])]

    assert page.name in {target.partition("#")[0].removeprefix("docs/") for target in firsts}


def test_a_link_to_a_missing_file_or_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One `two`\n\n## A: b, c\n\n## A: b, c\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#one-two) [b](other.md#a-b-c-1) [c](gone.md) [d](other.md#no) `[e](code.md)` [f](http://x/)\n"
        "```\n[g](block.md)\n```\n",
        encoding="utf-8",
    )

    assert broken(page) == ["gone.md", "other.md#no"]
