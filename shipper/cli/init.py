"""`shipper init`: look at this host, ask, and write agent.yaml."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

import click

from shipper.cli.check_endpoint import ask as ask_endpoint
from shipper.cli.init_look import Places, look_around
from shipper.cli.init_propose import Proposal, document, propose, write_checked
from shipper.config import Endpoint
from shipper.config.endpoint_url import request_url
from shipper.config.problems import wrapped
from shipper.core.diagnosis import Finding
from shipper.errors import UsageError
from shipper.pipeline.guard import MatchGuard

TOKEN_FILE: Final = Path("/etc/shipper/token")
_STDOUT: Final = Path("-")


@click.command()
@click.option("--yes", "-y", is_flag=True, help="Do not ask: take every source, and the endpoint that answers here.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("agent.yaml"), show_default=True,
              help="File to write, - for standard output; it is never overwritten without asking.")  # fmt: skip
@click.option("--look-in", "folders", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Look only in this folder and below; may be given several times.")  # fmt: skip
@click.option("--url", help="Where events go, instead of asking.")
@click.option("--token-file", type=click.Path(path_type=Path), default=TOKEN_FILE, show_default=True,
              help="Where the token for an environment's own API stands.")  # fmt: skip
def init(*, yes: bool, output: Path, folders: tuple[Path, ...], url: str | None, token_file: Path) -> int:
    """Look at the logs of this host, ask which are shipped and where to, and write agent.yaml."""
    try:
        there = output != _STDOUT and output.exists()
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}; name another place with -o FILE") from None
    if yes and there:
        raise UsageError(f"{output} exists and is not overwritten; move it away, or name another with -o FILE")
    try:
        return _init(yes=yes, output=output, folders=folders, url=url, token_file=token_file)
    except click.exceptions.Abort:
        click.echo("\nnothing is written", err=True)
        return 1


def _init(*, yes: bool, output: Path, folders: tuple[Path, ...], url: str | None, token_file: Path) -> int:
    places = Places(folders=tuple(folder.absolute() for folder in folders), only=True) if folders else Places()
    sights = look_around(places)
    guard = MatchGuard()
    try:
        proposals = propose(sights, guard)
    finally:
        guard.close()
    for note in sights.notes:
        _say(f"note: {note}")
    for path, mend in sorted(sights.unreadable.items()):
        click.echo(f"note: {path} may not be read; mend it with: {mend}", err=True)
    if not proposals:
        raise UsageError("no log was found here; name its folder with --look-in, or write agent.yaml by hand")
    chosen = proposals if yes else _choose(proposals)
    if not chosen:
        click.echo("no source is left: nothing is written", err=True)
        return 1
    endpoint = _given(url, token_file) if url is not None else _endpoint(yes=yes, token_file=token_file)
    text = document(endpoint, chosen)
    if output == _STDOUT:
        click.echo(text, nl=False)
        return 0
    if output.exists() and not click.confirm(f"{output} exists; overwrite it?", err=True):
        raise click.exceptions.Abort
    write_checked(output, text)
    count = f"{len(chosen)} source{'' if len(chosen) == 1 else 's'}"
    click.echo(f"{output}: {count} written. Go on with:", err=True)
    for command in ("check", "doctor", "run"):
        click.echo(f"  shipper {command} -c {output}", err=True)
    return 0


def _say(text: str) -> None:
    """Print *text* to standard error, broken at spaces where that is a terminal."""
    columns = shutil.get_terminal_size().columns
    click.echo(wrapped(text, columns) if sys.stderr.isatty() else text, err=True)


def _choose(proposals: list[Proposal]) -> list[Proposal]:
    """Ask for each; `a` takes the rest, `q` leaves it."""
    chosen = list[Proposal]()
    for number, one in enumerate(proposals):
        _show(one, number + 1, len(proposals))
        answer = click.prompt("  take it? (y)es, (n)o, (r)ename, (a)ll from here, (q)uit asking", default="y",
                              type=click.Choice(["y", "n", "r", "a", "q"], case_sensitive=False), show_choices=False,
                              err=True)  # fmt: skip
        if answer == "q":
            break
        if answer == "a":
            return [*chosen, *proposals[number:]]
        if answer == "r":
            _rename(one, [other.name for other in proposals if other is not one])
        if answer != "n":
            chosen.append(one)
    return chosen


def _show(one: Proposal, number: int, count: int) -> None:
    paths = one.keys["paths"]
    layout = one.keys.get("format", "a pattern of its own")
    files = f"{one.files} file{'' if one.files == 1 else 's'}"
    click.echo(f"\n{number}/{count}  {click.style(one.name, bold=True)}: {files}, format {layout}", err=True)
    for path in paths if isinstance(paths, list) else [paths]:
        click.echo(f"  {path}", err=True)
    for comment in one.comments:
        click.echo(f"  {comment}", err=True)


def _rename(one: Proposal, taken: list[str]) -> None:
    while True:
        name: str = click.prompt("  its name", err=True).strip()
        if name and name not in taken:
            one.keys["name"] = name
            return
        click.echo(f"  another source is called {name!r}", err=True)


def _endpoint(*, yes: bool, token_file: Path) -> dict[str, str]:
    """Return the keys of `endpoint`: what answers on the local port, else what the operator says."""
    local = Endpoint()
    found = asyncio.run(ask_endpoint(local)).finding
    if yes:
        return _local(found)
    click.echo(err=True)
    _say(f"the local endpoint: {found.text}")
    click.echo("where do the events go?", err=True)
    click.echo("  1  to the local endpoint of a OneAgent on this host", err=True)
    click.echo("  2  to shipper itself, which serves that endpoint with a log viewer", err=True)
    click.echo("  3  to the API of your environment, with a token", err=True)
    default = "1" if found.level == "ok" else "2"
    answer = click.prompt("  which?", default=default, type=click.Choice(["1", "2", "3"]), show_choices=False, err=True)
    if answer == "3":
        return _asked_for(token_file)
    return {"url": local.url} if answer == "1" else {"embedded": "true"}


def _local(found: Finding) -> dict[str, str]:
    """Where something takes events here, it is used; where nothing does, shipper is the endpoint."""
    if found.level == "ok":
        return {"url": Endpoint().url}
    if "nothing listens" not in found.text:
        _say(f"note: {found.text}")
    return {"embedded": "true"}


def _asked_for(token_file: Path) -> dict[str, str]:
    while True:
        url = click.prompt("  its URL, such as https://abc12345.live.dynatrace.com", err=True)
        try:
            request_url(url)
            break
        except ValueError as error:
            click.echo(f"  {error}", err=True)
    if not token_file.exists():
        token = click.prompt(f"  a token with the scope logs.ingest, for {token_file}", hide_input=True, err=True)
        _write_token(token_file, token)
    return _given(url, token_file)


def _given(url: str, token_file: Path) -> dict[str, str]:
    try:
        resolved = Endpoint(url=request_url(url))
    except ValueError as error:
        raise UsageError(f"--url: {error}") from None
    keys = {"url": f"'{url}'"}
    return keys if resolved.is_loopback else {**keys, "token": f"${{file:{token_file.absolute()}}}"}


def _write_token(path: Path, token: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(token.strip() + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name another place with --token-file") from None
