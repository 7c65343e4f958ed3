"""What `shipper status` prints, and `top` too: a head, a table of sources, a table of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shipper.cli.status_text import harmless, lag, lasting, number, per_second, since, size, stamp
from shipper.pipeline.health import Colour
from shipper.pipeline.status import FileStatus, SourceStatus, Status

STYLES: Final = {Colour.GREEN: "bold green", Colour.YELLOW: "bold yellow", Colour.RED: "bold red"}
_ENDPOINT_STYLES: Final = {"answering": "green", "refusing": "red", "unreachable": "red"}
_LABEL: Final = 13


class Column(NamedTuple):
    """One column of a table: shown where the terminal has *needs* columns."""

    title: str
    needs: int
    right: bool = True


SOURCE_COLUMNS: Final = (
    Column("source", 0, right=False), Column("files", 0), Column("behind", 0), Column("lag", 0), Column("records/s", 0),
    Column("bytes/s", 72), Column("1 min", 84), Column("acked", 96), Column("newest stamp", 120, right=False),
)  # fmt: skip
FILE_COLUMNS: Final = (
    Column("file", 0, right=False), Column("id", 0, right=False), Column("offset", 60), Column("size", 84),
    Column("behind", 0), Column("lag", 48), Column("state", 72, right=False), Column("layout", 110, right=False),
    Column("newest stamp", 130, right=False),
)  # fmt: skip


def status_page(status: Status, width: int, *, files: bool) -> RenderableType:
    """Return everything, for a terminal of *width* columns; *files* as well, where they were asked for."""
    parts: list[RenderableType] = [*head(status), Text()]
    parts.append(source_table(status.sources, width))
    parts += source_problems(status)
    if files:
        parts += [Text(), file_table(status.files, width)]
        if status.files_left_out:
            parts.append(Text(f"and {status.files_left_out:,} more files: --files lists them", style="dim"))
    return Group(*parts)


def head(status: Status) -> Iterator[RenderableType]:
    """Yield the lines above the tables."""
    yield _first_line(status)
    for reason in status.health.reasons:
        yield _line(
            reason.colour.value, f"{reason.text} ({since(reason.since_ms, status.at_ms)})", STYLES[reason.colour]
        )  # fmt: skip
    yield from _endpoint(status)
    if status.agent == "stopped":
        yield from _dead_letters(status)
        return
    rate, backlog, latency = status.rate, status.backlog, status.append_to_ack
    yield _line(
        "rate",
        f"{number(rate.records_10s)} records/s, {per_second(rate.bytes_10s)}; "
        f"over a minute {number(rate.records_1m)} records/s, {per_second(rate.bytes_1m)}",
    )
    yield _line(
        "backlog",
        f"{size(backlog.unread_bytes)} not read, {size(backlog.lag_bytes)} not acknowledged, "
        f"{lag(backlog.lag_seconds)} behind; {size(backlog.held_bytes)} of {size(backlog.budget_bytes)} held",
    )
    if latency.p50_seconds is not None and latency.p99_seconds is not None:
        yield _line(
            "latency",
            f"half of the lines acknowledged {lasting(latency.p50_seconds)} after they were written, "
            f"99 % {lasting(latency.p99_seconds)}",
        )
    yield _line("records", _totals(status))
    yield from _dead_letters(status)
    if status.saving_problem is not None:
        yield _line("offsets", f"cannot be saved: {status.saving_problem}", "red")
        text = f"{status.unsaved_records:,} records; a crash now would send them again"
        yield _line("", f"acknowledged, not saved yet: {text}", "red")
    if status.skipped:
        most = sorted(status.skipped.items(), key=lambda one: (-one[1], one[0]))
        counts = ", ".join(f"{count:,} {why[:1].lower()}{why[1:]}" for why, count in most)
        yield _line("passed by", f"{counts} (of what the patterns match)")
    for forecast in status.forecasts:
        yield _line("forecast", forecast.text, "yellow")
    if status.spill_bytes:
        yield _line("spill", f"{size(status.spill_bytes)} of {size(status.spill_limit_bytes)}")


def _first_line(status: Status) -> Text:
    text = Text("shipper ")
    if status.agent == "stopped":
        text.append("is not running", style="bold red")
        return text.append(f"; this is what {status.state_dir} knows")
    text.append(status.health.colour.value, style=STYLES[status.health.colour])
    started = since(status.started_ms, status.at_ms)
    return text.append(f"  {status.version}, process {status.pid}, for {started}, state in {status.state_dir}")


def _endpoint(status: Status) -> Iterator[RenderableType]:
    endpoint = status.endpoint
    yield _line("endpoint", endpoint.url)
    if status.agent == "stopped":
        return
    text = Text(endpoint.state, style=_ENDPOINT_STYLES.get(endpoint.state, ""))
    if endpoint.since_ms:
        text.append(f" for {since(endpoint.since_ms, status.at_ms)}", style="default")
    if endpoint.state == "unknown" and not endpoint.requests:
        text.append(": nothing was sent yet", style="default")
    if endpoint.state not in ("answering", "unknown"):
        text.append(f": {endpoint.message or endpoint.status}; {endpoint.attempts} attempts", style="default")
    yield _line("", text)
    if endpoint.answers:
        counts = (f"{a.status} x{a.count:,} ({since(a.last_ms, status.at_ms)} ago)" for a in endpoint.answers)
        yield _line("answers", ", ".join(counts))
    error = endpoint.last_error
    if error is not None and endpoint.state == "answering":
        yield _line("last error", f"{error.text} ({since(error.since_ms, status.at_ms)} ago)")


def _dead_letters(status: Status) -> Iterator[RenderableType]:
    letters = status.dead_letters
    if letters.count or letters.bytes:
        count = f"{letters.count:,}, " if letters.count else ""
        yield _line(
            "dead letters", f"{count}{size(letters.bytes)} of {size(letters.max_bytes)}: shipper dlq list", "yellow"
        )


def _totals(status: Status) -> str:
    totals = status.totals
    parts = [f"{totals.read:,} read", f"{totals.acked:,} acknowledged"]
    parts += [f"{count:,} left out ({reason})" for reason, count in totals.filtered.items()]
    parts += [f"{count:,} dead letters ({reason})" for reason, count in totals.dead_lettered.items()]
    parts += [f"{totals.refused_unnamed:,} refused, not named"] if totals.refused_unnamed else []
    parts += [f"{totals.pending:,} on their way"]
    lost = [f"{size(totals.lost_bytes)} lost unread"] if totals.lost_bytes else []
    return ", ".join(parts + lost)


def _line(label: str, text: str | Text, style: str = "") -> RenderableType:
    """A label and its text, which goes on under itself where it is long."""
    line = Table.grid(padding=(0, 1))
    line.add_column(width=_LABEL, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(label, style="dim"), Text(harmless(text), style=style) if isinstance(text, str) else text)
    return line


# -- tables --------------------------------------------------------------------------------------------


def source_table(sources: Sequence[SourceStatus], width: int, *, marked: int | None = None) -> Table:
    """Return the table of sources; the one at *marked* stands out."""
    table = _table(SOURCE_COLUMNS, width)
    for index, source in enumerate(sources):
        cells = {
            "source": Text(harmless(source.name), style="bold red" if source.problems else ""),
            "files": Text(number(source.files_followed)),
            "behind": Text(size(source.lag_bytes)),
            "lag": Text(lag(source.lag_seconds)),
            "records/s": Text(number(source.rate.records_10s)),
            "bytes/s": Text(size(source.rate.bytes_10s)),
            "1 min": Text(number(source.rate.records_1m)),
            "acked": Text(number(source.counts.get("acked", 0))),
            "newest stamp": Text(stamp(source.newest_ms)),
        }
        row = [cells[column.title] for column in SOURCE_COLUMNS if width >= column.needs]
        table.add_row(*row, style="reverse" if index == marked else "")
    return table


def source_problems(status: Status) -> Iterator[RenderableType]:
    """Yield a line for each source with a problem."""
    for source in status.sources:
        problem = source.problem
        if problem is not None:
            more = f" and {source.problems - 1} more" if source.problems > 1 else ""
            text = f"{problem.text} ({since(problem.since_ms, status.at_ms)}){more}"
            yield _line(source.name[:_LABEL], text, "red")


def file_table(files: Sequence[FileStatus], width: int, *, marked: int | None = None) -> Table:
    """Return the table of files."""
    table = _table(FILE_COLUMNS, width)
    for index, file in enumerate(files):
        cells = {
            "file": Text(harmless(file.path), style="red" if file.problem else ""),
            "id": Text(file.id),
            "offset": Text(f"{file.offset:,}"),
            "size": Text(f"{file.size:,}"),
            "behind": Text(size(file.lag_bytes)),
            "lag": Text(lag(file.lag_seconds)),
            "state": Text(file.state),
            "layout": Text(file.layout),
            "newest stamp": Text(stamp(file.newest_ms)),
        }
        row = [cells[column.title] for column in FILE_COLUMNS if width >= column.needs]
        table.add_row(*row, style="reverse" if index == marked else "")
    return table


def _table(columns: Sequence[Column], width: int) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    for column in columns:
        if width >= column.needs:
            first = not column.right and column.needs == 0
            table.add_column(
                column.title, justify="right" if column.right else "left",
                overflow="fold" if first else "ellipsis", no_wrap=not first,
            )  # fmt: skip
    return table
