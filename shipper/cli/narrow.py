"""Tables on terminals that are too narrow for them: each row becomes a block of lines."""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WIDE_ENOUGH: Final = 72
"""Columns from which on a table with folded cells reads better than blocks."""

_UNBOUNDED: Final = 10_000


def fitting(table: Table, out: Console) -> RenderableType:
    """Return *table*, or its rows as blocks of `column value` lines where *out* is too narrow for it."""
    if not out.is_terminal or out.width >= WIDE_ENOUGH:
        return table
    if Measurement.get(out, out.options.update(max_width=_UNBOUNDED), table).maximum <= out.width:
        return table
    names = [str(column.header).strip() for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    return Group(*(_block(names, list(row)) for row in rows))


def _block(names: list[str], cells: list[RenderableType]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, cell in zip(names, cells, strict=True):
        grid.add_row(Text(name), cell)
    return Group(grid, Text())
