"""Every `shipper ...` that README.md and docs/ show exists, with the options that are shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from shipper.cli import shipper
from tests.docs.pages import PAGES, blocks, code_spans

_COMMAND: Final = re.compile(r"(?:^|(?<=[\s(\"'|;&]))(?:[\w./-]*/)?shipper (?=[a-z-])(.*)")
_PROMPT: Final = re.compile(r"^\s*(?:[\w@-]*[$#]) (.*)$")
_SHELL_TITLES: Final = ("console", "shell", "sh", "bash", "")
# Behind one of these words another command begins, or none.
_ENDS: Final = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "2>", "<"})


def shown(page: Path) -> Iterator[str]:
    """Yield what *page* shows to be typed: lines behind a prompt, and code in the prose that begins with shipper."""
    for block in blocks(page):
        if block.title in _SHELL_TITLES:
            for line in block.text.replace("\\\n", " ").splitlines():
                # A console shows output too, in which a line may begin with the program's name.
                typed = _PROMPT.match(line)
                text = typed[1] if typed else line if block.title != "console" else ""
                if found := _COMMAND.search(text) if typed else re.match(r"shipper (?=[a-z-])(.*)", text):
                    yield found[1]
    for code in code_spans(page):
        if found := re.match(r"(?:sudo (?:-u \w+ )?)?shipper (?=[a-z-])(.*)", code):
            yield found[1]


def unknown(arguments: str) -> str:
    """Return the first command or option of *arguments* that the command line does not have; empty if it has all."""
    command: click.Command = shipper
    for word in _words(arguments):
        if isinstance(command, click.Group) and not word.startswith("-"):
            names = word.split("|")  # `state list|show` stands for two commands
            context = click.Context(command)
            if not all(command.get_command(context, name) for name in names):
                return word
            command = command.get_command(context, names[0]) or command
        elif word.startswith("-") and word != "-" and not set(word.partition("=")[0].split("|")) <= _options(command):
            return word
    return ""


def _words(arguments: str) -> Iterator[str]:
    lexer = shlex.shlex(arguments.replace("...", " ").replace("[", " ").replace("]", " "), posix=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    for word in lexer:
        if word in _ENDS:
            return
        yield word.rstrip(",;")


def _options(command: click.Command) -> set[str]:
    parameters = command.get_params(click.Context(command))
    named = {name for one in parameters for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    return named | {"-h", "--help"}


COMMANDS: Final = sorted({(page.name, typed) for page in PAGES for typed in shown(page)})


def test_pages_show_commands() -> None:
    assert len(COMMANDS) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_is_shown_exists(page: Path) -> None:
    assert [(typed, word) for typed in shown(page) if (word := unknown(typed))] == []


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        pytest.param("run --once -c agent.yaml", "", id="right"),
        pytest.param("run --twice", "--twice", id="option"),
        pytest.param("walk", "walk", id="command"),
        pytest.param("state list|show", "", id="two_commands"),
        pytest.param("state list|wipe", "list|wipe", id="one_of_two_commands"),
        pytest.param("dlq list --reason x | head --lines 3", "", id="another_program"),
        pytest.param("status --json   # --nothing", "", id="comment"),
    ],
)
def test_what_does_not_exist_is_found(typed: str, wrong: str) -> None:
    assert unknown(typed) == wrong
