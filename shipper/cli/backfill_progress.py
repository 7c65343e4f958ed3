"""How a backfill goes: bars on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.outcome import Figures
from shipper.pipeline.journal import Value, line, to_stderr
from shipper.pipeline.progress import size

LINE_SECONDS: Final = 10.0
_MOST_FILES_SHOWN: Final = 8


class Quiet:
    """Says what goes wrong, and nothing else."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be taken away."""

    def tick(self, figures: Figures) -> None:
        """Show nothing."""

    def file_done(self, job: Job, error: str) -> None:
        """Say why a file was given up."""
        if error:
            self.say("file_not_sent", {"file": job.place.shown, "error": error})

    def say(self, event: str, fields: dict[str, str | int | float | bool | None]) -> None:
        """Write a line of the log."""
        values: dict[str, Value] = dict(fields)
        to_stderr(line(event, values))


class Lines(Quiet):
    """A line for each file, and one every ten seconds."""

    def __init__(self) -> None:
        """The first line comes after ten seconds."""
        self._said = time.monotonic()
        self._acked = 0

    def tick(self, figures: Figures) -> None:
        """Say how it stands, now and then."""
        now = time.monotonic()
        if now - self._said < LINE_SECONDS:
            return
        rate = (figures.acked - self._acked) / (now - self._said)
        self._said, self._acked = now, figures.acked
        self.say(
            "backfill_progress",
            {
                "bytes": figures.read_bytes, "of": figures.todo_bytes, "acked": figures.acked,
                "events_per_second": round(rate), "files_done": figures.files_done, "errors": figures.errors or None,
                "waiting": figures.waiting or None,
            },
        )  # fmt: skip

    def file_done(self, job: Job, error: str) -> None:
        """Say that a file is done."""
        super().file_done(job, error)
        if not error:
            self.say("file_sent", {"file": job.place.shown, "bytes": job.planned.todo_bytes})


class Bars(Quiet):
    """A bar for all, and one for each file under way."""

    def __init__(self, console: Console) -> None:
        """Draw on *console*, a terminal."""
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>5.1f} %"),
            TextColumn("{task.fields[figures]}"), TimeRemainingColumn(), console=console, transient=True,
            expand=True,
        )  # fmt: skip
        self._all = self._progress.add_task("all", total=None, figures="")
        self._files: dict[str, TaskID] = {}
        self._before: tuple[float, int] = (time.monotonic(), 0)
        self._rate = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tick(self, figures: Figures) -> None:
        """Draw anew."""
        now = time.monotonic()
        if now - self._before[0] >= 1.0:
            self._rate = (figures.acked - self._before[1]) / (now - self._before[0])
            self._before = (now, figures.acked)
        parts = [f"{size(figures.read_bytes)} of {size(figures.todo_bytes)}", f"{self._rate:,.0f} events/s"]
        if figures.letters:
            parts.append(f"{figures.letters:,} dead letters")
        if figures.errors:
            parts.append(f"{figures.errors} errors")
        if figures.waiting:
            parts.append(f"[{figures.waiting}]".replace("[", "(").replace("]", ")"))
        total = max(figures.todo_bytes, figures.read_bytes)
        self._progress.update(self._all, completed=figures.read_bytes, total=total or None, figures="  ".join(parts))
        shown = {run.job.place.shown: run for run in figures.running[:_MOST_FILES_SHOWN]}
        for name in [name for name in self._files if name not in shown]:
            self._progress.remove_task(self._files.pop(name))
        for name, run in shown.items():
            if name not in self._files:
                self._files[name] = self._progress.add_task(f"  {name.rpartition('/')[2]}", total=None, figures="")
            planned = run.job.planned
            self._progress.update(
                self._files[name], completed=run.done_bytes, total=max(planned.todo_bytes, run.done_bytes) or None,
                figures=f"{size(run.done_bytes)}  {run.events:,} events",
            )  # fmt: skip

    def say(self, event: str, fields: dict[str, str | int | float | bool | None]) -> None:
        """Write a line above the bars."""
        values: dict[str, Value] = dict(fields)
        self._progress.console.print(line(event, values), markup=False, highlight=False, soft_wrap=True)


def observer(*, quiet: bool) -> Quiet:
    """Return who shows how it goes on standard error."""
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal and sys.stderr.isatty() else Lines()
