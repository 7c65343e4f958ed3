"""Prints the man pages and shell completions as JSON, by file name: from the commands and the schema themselves.

Run by the build with the staged libraries, so that what is documented is what
is installed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, cast

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from shipper import __version__
from shipper.cli import shipper
from shipper.config.schema import document_schema

EXIT_STATUS: Final = (
    ("0", "done"),
    ("1", "something was not delivered, or a check failed"),
    ("2", "wrong usage"),
    ("74", "the state is damaged or cannot be written"),
    ("75", "another agent holds the state_dir"),
    ("78", "the configuration is wrong"),
)
PLACES: Final = (
    ("/etc/shipper/agent.yaml", "the configuration; sources of your own go to conf.d beside it, presets to formats.d"),
    ("/etc/shipper/endpoint.d", "switches and port of the local endpoint"),
    ("/var/lib/shipper", "offsets and dead letters; one agent for each folder"),
    ("/var/lib/shipper-endpoint", "what the local endpoint has received"),
)
COMPLETIONS: Final[Mapping[str, type[ShellComplete]]] = {
    "bash/shipper": BashComplete,
    "zsh/_shipper": ZshComplete,
    "fish/shipper.fish": FishComplete,
}


def roff(text: str) -> str:
    """Return *text* as a line of a man page: nothing in it is taken for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return "\\&" + text if text.startswith((".", "'")) else text


def _head(name: str, section: int, summary: str, day: str) -> str:
    title = name.upper().replace("-", "\\-")
    return (
        f'.TH "{title}" "{section}" "{day}" "shipper {__version__}" "shipper"\n'
        f".SH NAME\n{roff(name)} \\- {roff(summary)}\n"
    )


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line.strip() for line in paragraph.splitlines()]
        as_it_stands = lines[:1] == ["\b"]  # click's own mark for it
        if number:
            yield ".PP"
        if as_it_stands:
            yield from (".nf", *map(roff, lines[1:]), ".fi")
        else:
            yield roff(" ".join(lines))


def _pairs(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield ".TP"
        yield f"\\fB{roff(term)}\\fR"
        yield roff(text) if text else "\\&"


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield record


def _seen_also(names: Iterator[str]) -> str:
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {name.replace('-', chr(92) + '-')}" for name in names) + "\n"


def command_pages(group: click.Group, day: str) -> Iterator[tuple[str, str]]:
    """Return shipper.8 and a page for each of its commands, subcommands within."""
    top = click.Context(group, info_name="shipper")
    commands = {name: group.get_command(top, name) for name in group.list_commands(top)}
    known = {name: command for name, command in commands.items() if command is not None}
    yield "shipper.8", _group_page(group, top, known, day)
    for name, command in known.items():
        yield f"shipper-{name}.8", _command_page(name, command, top, day)


def _group_page(group: click.Group, top: click.Context, known: Mapping[str, click.Command], day: str) -> str:
    lines = [
        _head("shipper", 8, "the log agent", day) + ".SH SYNOPSIS",
        ".B shipper\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(group.help or ""),
        ".SH COMMANDS",
    ]
    for name, command in known.items():
        lines += [".TP", f".BR shipper\\-{name} (8)", roff(command.get_short_help_str(200))]
    lines += [".SH OPTIONS", *_pairs(_options(group, top))]
    lines += [".SH EXIT STATUS", *_pairs(iter(EXIT_STATUS)), ".SH FILES", *_pairs(iter(PLACES))]
    lines += [_seen_also(iter(["shipper-agent.yaml (5)", "systemctl (1)", "journalctl (1)"]))]
    return "\n".join(lines)


def _command_page(name: str, command: click.Command, top: click.Context, day: str) -> str:
    context = click.Context(command, info_name=name, parent=top)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        _head(f"shipper-{name}", 8, command.get_short_help_str(200).rstrip("."), day) + ".SH SYNOPSIS",
        f".B shipper {roff(name)}\n{roff(usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        ".SH OPTIONS",
        *_pairs(_options(command, context)),
    ]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for part in command.list_commands(context):
            one = command.get_command(context, part)
            if one is None:
                continue
            below = click.Context(one, info_name=part, parent=context)
            lines += [f".SS {roff(' '.join([part, *one.collect_usage_pieces(below)]))}", *_paragraphs(one.help or "")]
            lines += _pairs(_options(one, below))
    lines += [".SH EXIT STATUS", *_pairs(iter(EXIT_STATUS))]
    lines += [_seen_also(iter(["shipper (8)", "shipper-agent.yaml (5)"]))]
    return "\n".join(lines)


def configuration_page(document: Mapping[str, object], day: str) -> str:
    """Return shipper-agent.yaml.5: every key of the schema, with its default."""
    lines = [
        _head("shipper-agent.yaml", 5, "configuration of the shipper agent", day) + ".SH DESCRIPTION",
        "Read from ./agent.yaml, then /etc/shipper/agent.yaml, unless \\-c names another. Durations are written 500ms,",
        "2s, 5m, 24h, 7d; sizes 65536, 64KiB, 1MiB. ${NAME} and ${NAME:\\-default} are taken from the environment,",
        "${file:/path} from a file; $$ is a dollar. A misspelt key is an error that names its line.",
        ".SH KEYS",
        *_pairs(_keys(document, cast(Mapping[str, Mapping[str, object]], document["$defs"]), "")),
        ".SH EXAMPLE",
        ".nf",
        "sources:",
        "  \\- name: shop",
        "    paths: [/var/log/shop/**/*.log]",
        ".fi",
        _seen_also(iter(["shipper-check (8)", "shipper-run (8)"])),
    ]
    return "\n".join(lines)


def _keys(
    shape: Mapping[str, object], known: Mapping[str, Mapping[str, object]], above: str
) -> Iterator[tuple[str, str]]:
    properties = cast(Mapping[str, Mapping[str, object]], shape.get("properties", {}))
    for key, value in properties.items():
        text = str(value.get("description", ""))
        default = value.get("default")
        if default is not None:
            text += f" Default: {default if isinstance(default, str) else json.dumps(default)}."
        yield f"{above}{key}", text.strip()
        for name, suffix in _referred(value):
            yield from _keys(known[name], known, f"{above}{key}{suffix}.")


def _referred(value: object, suffix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the shapes that *value* may have, with `[]` where it is a list of them."""
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield str(value["$ref"]).rpartition("/")[2], suffix
        for part in cast(list[object], value.get("anyOf", [])):
            yield from _referred(part, suffix)
        if "items" in value:
            yield from _referred(value["items"], suffix + "[]")


def completions(group: click.Group) -> Iterator[tuple[str, str]]:
    """Return click's own completion scripts."""
    for name, kind in COMPLETIONS.items():
        shell = kind(group, {}, "shipper", "_SHIPPER_COMPLETE")
        yield f"completions/{name}", shell.source_template % shell.source_vars()


def main() -> None:
    """Print them all; the day of the pages is that of the commit, given as seconds since 1970."""
    day = datetime.fromtimestamp(int(sys.argv[1]), UTC).strftime("%Y-%m-%d")
    group = cast(click.Group, shipper)
    pages = {**dict(command_pages(group, day)), "shipper-agent.yaml.5": configuration_page(document_schema(), day)}
    json.dump({**pages, **dict(completions(group))}, sys.stdout)


if __name__ == "__main__":
    main()
