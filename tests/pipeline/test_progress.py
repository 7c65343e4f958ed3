"""The line at the foot of a terminal; silent elsewhere, and never mixed into the log."""

from __future__ import annotations

import io

import pytest

from shipper.pipeline.progress import Progress, size
from shipper.pipeline.totals import Totals


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(Terminal):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_it_shows_rates_since_the_last_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    progress = Progress(terminal)

    progress.update(Totals(acked=100, bytes_read=1000, files=2), 0, "", 10.0)
    progress.update(Totals(acked=1100, bytes_read=1000 + 4096, files=2), 2048, "", 12.0)

    assert "2 files  500 events/s  2.0 KiB/s  lag 2.0 KiB  1,100 acknowledged" in terminal.getvalue()


def test_it_names_dead_letters_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.update(Totals(), 0, "", 1.0)

    progress.update(Totals(dead_lettered={"rejected": 2, "too_old": 1}), 0, "endpoint unreachable", 2.0)

    assert "3 dead letters  [endpoint unreachable]" in terminal.getvalue()


def test_a_log_line_stands_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.update(Totals(), 0, "", 1.0)
    progress.update(Totals(), 0, "", 2.0)
    before = len(terminal.getvalue())

    progress.write_line("event=x")

    assert terminal.getvalue()[before:].startswith("\r\x1b[Kevent=x\n0 files")


def test_it_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.update(Totals(), 0, "", 1.0)
    progress.update(Totals(), 0, "w" * 100, 2.0)

    assert len(terminal.getvalue().removeprefix("\r\x1b[K")) < 20


def test_elsewhere_than_on_a_terminal_only_the_log_is_written() -> None:
    pipe = io.StringIO()
    progress = Progress(pipe)
    progress.update(Totals(), 0, "", 1.0)
    progress.update(Totals(), 0, "", 2.0)
    progress.write_line("event=x")
    progress.close()

    assert pipe.getvalue() == "event=x\n"


def test_a_terminal_that_went_away_stops_the_line_and_nothing_else() -> None:
    progress = Progress(Closed())
    progress.update(Totals(), 0, "", 1.0)

    progress.update(Totals(), 0, "", 2.0)

    assert not progress.shown


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 1024**2, "5.0 MiB"), (3 * 1024**4, "3072.0 GiB")],
)
def test_sizes_are_1024_based(count: float, expected: str) -> None:
    assert size(count) == expected
