"""What is wrong is shown with its line and a caret under the place, cut to fit, and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from shipper.config.problems import fitted
from shipper.errors import ConfigError
from tests.config.agent_yaml import loaded

PLACES = [
    ("endpoint: {urll: x}\n", "    1 | endpoint: {urll: x}\n      |            ^^^^"),
    ("limits:\n  memory: 64MB\n", "    2 |   memory: 64MB\n      |           ^^^^"),
    ("limits: {memory: 64MB, scan: 1s}\n", "    1 | limits: {memory: 64MB, scan: 1s}\n      |                  ^^^^"),
    ("sources:\n- name: a\n  paths: [/a]\n  keep: ['(ERROR|FATAL']\n",
     "    4 |   keep: ['(ERROR|FATAL']\n      |           ^"),
    ("sources:\n- {name: a, paths: [/a], drop: ['ab*c**']}\n", "    2 | - {name: a, paths: [/a], drop: ['ab*c**']}\n"
     "      |                                       ^"),
    ("sources:\n- name: a\n  paths: [/a]\n  keep:\n  - |\n    (x\n", "    5 |   - |\n      |     ^"),
    ("a: b\n\tc: d\n", "    2 |  c: d\n      | ^"),
    ("sources:\n- paths: [/a]\n", "    2 | - paths: [/a]\n      |   ^^^^^"),
    ("x" * 150 + ": 1\n", "    1 | " + "x" * 100 + "\n      | " + "^" * 100),
    ("state_dir: ${NONE}\nsources:\n- {name: a, paths: [/a]}\n",
     "    1 | state_dir: ${NONE}\n      |            ^^^^^^^"),
    ("endpoint:\n  url: http://logs.example.com\n  token: dt0c01.ABC\n", ""),
    ("endpoint: {url: 'https://me:pw@host'}\n", ""),
    ("endpoint: {token: [dt0c01.ABC]}\n", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "excerpt"), PLACES, ids=range(len(PLACES)))
def test_a_caret_stands_under_the_place_unless_the_line_may_hold_a_secret(
    text: str, excerpt: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)

    assert refused.value.excerpts[0] == excerpt
    assert len(refused.value.excerpts) == len(refused.value.problems)


SOURCE = "    4 | limits: {memory: 64MB, scan: 1s, open_files: many}"


@pytest.mark.parametrize(
    ("columns", "begin", "shown", "under"),
    [
        (80, 45, "limits: {memory: 64MB, scan: 1s, open_files: many}", 45),
        (40, 45, "4MB, scan: 1s, open_files: many}", 27),
        (40, 17, " {memory: 64MB, scan: 1s, open_f", 10),
        (1, 45, "les: many}", 5),
    ],
)
def test_an_excerpt_is_cut_round_its_caret_to_fit_a_terminal(columns: int, begin: int, shown: str, under: int) -> None:
    excerpt = f"{SOURCE}\n      | {' ' * begin}^^^^"

    assert fitted(excerpt, columns) == f"    4 | {shown}\n      | {' ' * under}^^^^"


@given(width=integers(1, 200), begin=integers(0, 90), marks=integers(1, 20), columns=integers(1, 250))
def test_a_fitted_excerpt_keeps_its_mark_under_the_same_text(width: int, begin: int, marks: int, columns: int) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(width + begin))
    fits = fitted(f"    4 | {text}\n      | {' ' * begin}{'^' * marks}", columns)

    source, under = fits.split("\n")
    assert len(source) <= max(columns, 18)
    assert source[under.index("^")] == text[begin]
