"""README.md and docs/ as the tests of this folder see them: pages, fenced blocks, prose, anchors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE: Final = re.compile(
    r"^(?P<fence>```+)(?P<title>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_CODE: Final = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


class Block(NamedTuple):
    """A fenced block: *title* is what stands behind the fence, such as ``yaml`` or ``yaml agent.yaml``."""

    page: str
    line: int
    heading: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page.name,
            text.count("\n", 0, found.start()) + 1,
            _heading_above(text[: found.start()]),
            found["title"].strip(),
            found["text"],
        )
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """Return *page* without its fenced blocks, with as many lines as before."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))


def code_spans(page: Path) -> list[str]:
    """Return what stands between back quotes in the prose of *page*, line ends as blanks."""
    return [" ".join(text.split()) for _, text in _CODE.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of *page*'s headings, as forges make them: lower case, blanks to hyphens, marks left out."""
    seen = dict[str, int]()
    found = set[str]()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        again = seen[anchor] = seen.get(anchor, -1) + 1
        found.add(f"{anchor}-{again}" if again else anchor)
    return found


def _heading_above(text: str) -> str:
    return next(iter(re.findall(r"^## (.+)$", text, re.MULTILINE)[::-1]), "")
