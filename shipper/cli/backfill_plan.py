"""`shipper backfill --plan`: the plan as a table, or as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from shipper.core.plan import Plan, PlannedFile
from shipper.core.timestamps import utc_text
from shipper.pipeline.progress import size

_COLUMNS: Final = ("file", "read as", "on disk", "text", "from", "to", "to send", "sent", "agent", "events", "too old")
_PIPE_COLUMNS: Final = 250


def print_plan(plan: Plan, *, as_json: bool) -> None:
    """Print what is going to be sent."""
    if as_json:
        click.echo(json.dumps(_builtins(plan)))
        return
    table = Table(box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("file", "read as", "from", "to") else "right", no_wrap=True)
    lineage = ""
    for file in plan.files:
        if file.lineage != lineage and lineage:
            table.add_row()
        lineage = file.lineage
        table.add_row(*_row(file))
    _console().print(table)
    click.echo()
    for label, figure in _summary(plan):
        click.echo(f"{label:<10} {figure}")


def _console() -> Console:
    # As cli/state_access.py has it; that one brings the HTTP client along, a third of this command's start-up.
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(width=_PIPE_COLUMNS, highlight=False)


def _row(file: PlannedFile) -> tuple[str, ...]:
    if file.problem:
        return file.file, "", size(file.packed_bytes), "", "", "", file.problem
    about = "" if file.plain_exact else "~"
    return (
        file.file, file.layout, size(file.packed_bytes), about + size(file.plain_bytes), _minute(file.first_ms),
        ("" if file.last_exact else "~") + _minute(file.last_ms), about + size(file.todo_bytes),
        size(file.sent_bytes) if file.sent_bytes else "", size(file.agent_bytes) if file.agent_bytes else "",
        f"~{file.events:,}", f"~{file.too_old:,}" if file.too_old else "0",
    )  # fmt: skip


def _summary(plan: Plan) -> list[tuple[str, str]]:
    files = [file for file in plan.files if not file.problem]
    todo = sum(file.todo_bytes for file in files)
    rows = [
        ("files", f"{sum(bool(file.todo_bytes) for file in files)} to send, of {len(plan.files)}"),
        ("bytes", f"{size(sum(file.packed_bytes for file in files))} on disk, {size(todo)} of text to send"),
        ("events", f"about {plan.events:,}"),
        ("requests", f"about {plan.requests:,}"),
        ("duration", f"about {_duration(plan.seconds)} at {plan.events_per_second:,.0f} events/s ({plan.rate_from})"),
        ("too old", f"about {plan.too_old:,} events are {plan.fate_of_too_old}"),
    ]
    problems = len(plan.files) - len(files)
    return [*rows, ("not sent", f"{problems} files, see above")] if problems else rows


def _minute(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _builtins(plan: Plan) -> dict[str, object]:
    """Return the plan as JSON values: times as in events, totals beside the files."""
    files = []
    for file in plan.files:
        values = msgspec.to_builtins(file)
        first, last = values.pop("first_ms"), values.pop("last_ms")
        values.pop("mtime_ms")
        values["first"] = utc_text(first) if first is not None else None
        values["last"] = utc_text(last) if last is not None else None
        files.append(values)
    return {
        "files": files,
        "todo_bytes": sum(file.todo_bytes for file in plan.files),
        "events": plan.events,
        "requests": plan.requests,
        "seconds": plan.seconds,
        "events_per_second": plan.events_per_second,
        "rate_from": plan.rate_from,
        "too_old": {"events": plan.too_old, "policy": plan.too_old_policy.value, "fate": plan.fate_of_too_old},
    }
