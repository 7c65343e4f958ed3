"""`shipper top` drawn: a head, a table, the latest events, and the keys; never more than fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shipper.cli.status_text import harmless, lag, number, per_second, since, size, sparkline, stamp
from shipper.cli.status_view import FILE_COLUMNS, STYLES
from shipper.cli.top_state import Chosen
from shipper.pipeline.status import FileStatus, SourceStatus, Status

SEVERITY_STYLES: Final = {
    "emergency": "bold red", "alert": "bold red", "critical": "bold red", "severe": "bold red", "error": "red",
    "warn": "yellow", "notice": "cyan", "info": "green", "debug": "blue",
}  # fmt: skip
_COLUMNS: Final = (
    ("source", 0), ("files", 40), ("behind", 0), ("lag", 30), ("records/s", 50), ("bytes/s", 64), ("trend", 78),
    ("acked", 100), ("newest stamp", 124),
)  # fmt: skip
_LEFT: Final = {"source", "trend", "file", "id", "state", "layout", "newest stamp"}
_TREND: Final = 10
_REASONS: Final = 2
_EVENT_ROWS: Final = 5
_LEAST_FOR_EVENTS: Final = 16
_KEYS: Final = "q quit  s sort  r reverse  / filter  enter files  esc back  e events  p pause"


class Latest(NamedTuple):
    """An event that has left lately."""

    time: str
    severity: str
    source: str
    content: str


class Screen(NamedTuple):
    """What there is to draw on."""

    width: int
    height: int
    plain: bool = False


def draw(chosen: Chosen, status: Status | None, trouble: str, events: Sequence[Latest], screen: Screen) -> Group:
    """Return one frame, of at most *screen.height* lines."""
    lines: list[RenderableType] = [_title(status, trouble, chosen)]
    if status is not None:
        lines += _head(status, screen)[: max(screen.height - 5, 0)]
    shown_events = chosen.events and screen.height >= _LEAST_FOR_EVENTS
    event_rows = min(_EVENT_ROWS, (screen.height - 10) // 3) if shown_events else 0
    room = screen.height - len(lines) - 2 - (event_rows + 1 if event_rows else 0)  # the table's head, and the keys
    if status is not None and room > 0:
        table, rows = _table(chosen, status, room, screen)
        lines += [table, *(Text() for _ in range(room - rows))]
    else:
        lines += [Text() for _ in range(max(room + 1, 0))]
    if event_rows:
        lines.append(Text(f"events of {chosen.source or 'all sources'}, as they leave", style="bold"))
        lines += [_event(event, screen.width) for event in list(events)[-event_rows:]]
        lines += [Text() for _ in range(event_rows - len(list(events)[-event_rows:]))]
    lines.append(_foot(chosen))
    return Group(*lines)


def _title(status: Status | None, trouble: str, chosen: Chosen) -> Text:
    text = _line("shipper ", "bold")
    if status is None:
        return text.append(trouble or "asking ...", style="red" if trouble else "")
    text.append(status.health.colour.value, style=STYLES[status.health.colour])
    text.append(f"  {status.version}, process {status.pid}, for {since(status.started_ms, status.at_ms)}")
    text.append(f"  {stamp(status.at_ms)[11:]}", style="dim")
    if trouble:
        text.append(f"  {trouble}", style="bold red")
    if chosen.paused:
        text.append("  paused", style="bold yellow")
    return text


def _head(status: Status, screen: Screen) -> list[RenderableType]:
    rate, backlog, endpoint = status.rate, status.backlog, status.endpoint
    text = f"{number(rate.records_10s)} records/s, {per_second(rate.bytes_10s)} "
    curve = sparkline(status.steps, max(screen.width - len(text) - 1, 0), plain=screen.plain)
    lines: list[RenderableType] = [_line(text).append(curve, style="cyan")]
    behind = (
        f"{size(backlog.lag_bytes)} behind, {lag(backlog.lag_seconds)}; "
        f"{size(backlog.held_bytes)} of {size(backlog.budget_bytes)} held"
    )
    if status.append_to_ack.p99_seconds is not None:
        behind += f"; 99 % acknowledged in {lag(status.append_to_ack.p99_seconds)}"
    if status.dead_letters.count:
        behind += f"; {status.dead_letters.count:,} dead letters"
    lines.append(_line(behind))
    answers = "  ".join(f"{answer.status} x{answer.count:,}" for answer in endpoint.answers)
    shown = _line(f"endpoint {endpoint.state}", "" if endpoint.state in ("answering", "unknown") else "red")
    if endpoint.since_ms:
        shown.append(f" for {since(endpoint.since_ms, status.at_ms)}")
    lines.append(shown.append(f"  {answers}"))
    for reason in status.health.reasons[:_REASONS]:
        lines.append(_line(harmless(reason.text), STYLES[reason.colour]))
    lines += [_line(harmless(forecast.text), "yellow") for forecast in status.forecasts[:1]]
    return lines


# -- tables --------------------------------------------------------------------------------------------


def _table(chosen: Chosen, status: Status, room: int, screen: Screen) -> tuple[Table, int]:
    """Return the table, and its rows; the marked one is among them."""
    if chosen.source is not None:
        files = chosen.files(status.files)
        first = _first_row(chosen.row, room, len(files))
        return _file_table(files[first : first + room], chosen.row - first, screen), len(files[first : first + room])
    sources = chosen.sources(status.sources)
    first = _first_row(chosen.row, room, len(sources))
    shown = sources[first : first + room]
    return _source_table(shown, chosen.row - first, chosen.order, screen), len(shown)


def _first_row(marked: int, room: int, rows: int) -> int:
    return min(max(marked - room + 1, 0), max(rows - room, 0))


def _source_table(sources: Sequence[SourceStatus], marked: int, order: str, screen: Screen) -> Table:
    names = [name for name, needs in _COLUMNS if screen.width >= needs]
    table = _grid(names, order)
    for index, source in enumerate(sources):
        cells = {
            "source": Text(harmless(source.name), style="bold red" if source.problems else ""),
            "files": Text(number(source.files_followed)),
            "behind": Text(size(source.lag_bytes)),
            "lag": Text(lag(source.lag_seconds)),
            "records/s": Text(number(source.rate.records_10s)),
            "bytes/s": Text(size(source.rate.bytes_10s)),
            "trend": Text(sparkline(source.steps, _TREND, plain=screen.plain), style="cyan"),
            "acked": Text(number(source.counts.get("acked", 0))),
            "newest stamp": Text(stamp(source.newest_ms)),
        }
        table.add_row(*(cells[name] for name in names), style="reverse" if index == marked else "")
    return table


def _file_table(files: Sequence[FileStatus], marked: int, screen: Screen) -> Table:
    names = [column.title for column in FILE_COLUMNS if screen.width >= column.needs]
    table = _grid(names, "")
    rows = [
        {
            "id": file.id,
            "offset": f"{file.offset:,}",
            "size": f"{file.size:,}",
            "behind": size(file.lag_bytes),
            "lag": lag(file.lag_seconds),
            "state": file.state,
            "layout": file.layout,
            "newest stamp": stamp(file.newest_ms),
        }
        for file in files
    ]
    others = sum(2 + max([len(name), *(len(row[name]) for row in rows)]) for name in names if name != "file")
    for index, (file, row) in enumerate(zip(files, rows, strict=True)):
        # Of a path the end tells more than the beginning.
        path = Text(_end(harmless(file.path), max(screen.width - others, 8)), style="red" if file.problem else "")
        cells = [path if name == "file" else Text(row[name]) for name in names]
        table.add_row(*cells, style="reverse" if index == marked else "")
    return table


def _grid(names: Sequence[str], order: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1), expand=True)
    for name in names:
        table.add_column(
            f"{name}*" if name == order else name, justify="left" if name in _LEFT else "right", no_wrap=True,
            overflow="ellipsis", ratio=1 if name in ("source", "file") else None,
        )  # fmt: skip
    return table


def _end(text: str, most: int) -> str:
    return text if len(text) <= most else "…" + text[-(most - 1) :]


def _event(event: Latest, width: int) -> Text:
    text = _line(f"{event.time[11:23]} ", "dim")
    text.append(f"{event.severity:<6} ", style=SEVERITY_STYLES.get(event.severity))
    text.append(f"{event.source} ", style="magenta")
    first, _, more = event.content.partition("\n")
    return text.append(harmless(first[:width]) + (" ..." if more else ""))


def _foot(chosen: Chosen) -> Text:
    if chosen.typing:
        return _line(f"filter: {chosen.filter}_  (enter keeps it, esc takes it away)", "reverse")
    filtered = f"filter {chosen.filter!r}  " if chosen.filter else ""
    return _line(f"{filtered}{_KEYS}", "dim")


def _line(text: str, style: str = "") -> Text:
    return Text(no_wrap=True, overflow="ellipsis").append(text, style=style or None)
