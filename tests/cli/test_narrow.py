"""Narrow terminals, pipes and NO_COLOR: what is printed fits, and is plain where it should be."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from shipper.cli.narrow import fitting
from tests.patience import PATIENCE_SECONDS

PROJECT = Path(__file__).parents[2]


def table() -> Table:
    made = Table("id", "path", "offset/size", box=None, pad_edge=False)
    made.add_row("1.0", "/var/log/shop/checkout/app.log", "1000/2000")
    made.add_row("2.0", "/var/log/syslog", "5/5")
    return made


def printed(width: int, *, terminal: bool = True) -> list[str]:
    out = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None, highlight=False)
    out.print(fitting(table(), out))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_a_table_that_fits_stays_one() -> None:
    assert printed(60)[0].split() == ["id", "path", "offset/size"]


def test_rows_become_blocks_where_the_table_is_too_wide() -> None:
    assert printed(44) == [
        "id          1.0",
        "path        /var/log/shop/checkout/app.log",
        "offset/size 1000/2000",
        "",
        "id          2.0",
        "path        /var/log/syslog",
        "offset/size 5/5",
        "",
    ]


@pytest.mark.parametrize("width", [20, 30, 40, 71])
def test_nothing_is_left_out_and_nothing_is_too_wide(width: int) -> None:
    lines = printed(width)

    assert max(map(len, lines)) <= width
    assert "/var/log/shop/checkout/app.log" in "".join(line.split(maxsplit=1)[-1] if line else "" for line in lines)


def test_a_pipe_gets_the_table_whatever_its_width() -> None:
    assert printed(44, terminal=False)[0].split()[:2] == ["id", "path"]


def on_a_terminal(columns: int, folder: Path, *arguments: str, **environ: str) -> str:
    """Return what `shipper` prints on a terminal of so many columns."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "LINES")}
    master, terminal = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "shipper", *arguments], cwd=folder, stdin=terminal, stdout=terminal,
            stderr=subprocess.DEVNULL, timeout=PATIENCE_SECONDS, check=False,
            env={**inherited, "COLUMNS": str(columns), "TERM": "xterm-256color", "PYTHONPATH": str(PROJECT), **environ},
        )  # fmt: skip
        return os.read(master, 1 << 20).decode().replace("\r\n", "\n")
    finally:
        os.close(master)
        os.close(terminal)


def test_a_help_page_fits_forty_columns(tmp_path: Path) -> None:
    lines = on_a_terminal(40, tmp_path, "--help").splitlines()

    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}], ids=["colours", "no_color"])
def test_no_color_is_heard(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(
        "state_dir: state\nendpoint: {url: 'http://127.0.0.1:1'}\nsources: [{name: a, paths: [logs/*.log]}]\n"
    )

    said = on_a_terminal(80, tmp_path, "check", **environ)

    assert "failed checks: 1" in said
    assert ("\x1b[1;31mfailed" in said) is not bool(environ)
    assert ("\x1b[33m" in said) is not bool(environ)


def test_a_pipe_that_closes_early_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "shipper", "schema"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()

    assert said == b""
