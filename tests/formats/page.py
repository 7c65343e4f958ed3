"""The table in docs/formats.md, made from the presets: `python -m tests.formats.page` writes it anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shipper.cli.formats import Row, listed
from tests.formats.reading import presets

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- begin of the table -->\n", "<!-- end of the table -->\n"


def table(rows: Sequence[Row]) -> str:
    """Return *rows* as a Markdown table."""
    lines = ["| format | kind | a record is | level | what it reads |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (
            f"`{row.name}`",
            row.kind,
            "one or more lines" if row.lines else "a line",
            "yes" if row.severity else "none",
            row.description.replace("|", "\\|"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table of today's presets into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + table(listed(presets())) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
