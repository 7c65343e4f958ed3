"""`shipper endpoint`: arguments to an `options.Plan`, or a word about the port.

The same command is `python -m shipper.endpoint`, which the agent starts for
`endpoint.embedded`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from shipper.endpoint import enablement, listening, port_setting, units
from shipper.endpoint.options import Patience, Plan, Rates, Settings
from shipper.endpoint.saying import say
from shipper.endpoint.settings import SETTINGS_DIR
from shipper.errors import ConfigError, UsageError

TOKEN_VARIABLE: Final = "SHIPPER_FORWARD_TOKEN"  # noqa: S105 -- a name, not a token
_LONGEST_TOKEN_BYTES: Final = 4_096


def _unit(read: Callable[[str], int]) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    def convert(_context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
        try:
            return None if text is None else read(text)
        except ValueError as error:
            raise UsageError(f"{parameter.opts[0]}: {error}") from None

    return convert


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default=listening.IPV4, show_default=True, help="Loopback only: 127.0.0.1 takes ::1 as well.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Default: the kept port, else 14499; 0 takes a free one.")
@click.option("--store", type=click.Path(path_type=Path, file_okay=False), help="Folder of the events.")
@click.option("--store-size", default="2GiB", show_default=True, callback=_unit(units.size_bytes), help="On disk.")
@click.option("--store-age", callback=_unit(units.duration_ms), help="Let older events go (7d); default: never.")
@click.option("--profile", type=click.Choice(["saas", "classic", "managed"]), help="Limits of that receiving side.")
@click.option("--lenient", is_flag=True, help="Take a request without Content-Type as JSON.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Answer 429 past these.")
@click.option("--events-per-minute", type=click.IntRange(1), help="Answer 429 past these.")
@click.option(
    "--read-timeout", default="10s", callback=_unit(units.duration_ms), help="For a head, or between two pieces."
)
@click.option("--body-timeout", default="60s", callback=_unit(units.duration_ms), help="For a whole body.")
@click.option("--idle-timeout", default="75s", callback=_unit(units.duration_ms), help="Between two requests.")
@click.option("--forward", "forward_url", metavar="URL", help="Send the events on to this SaaS, Managed or ActiveGate.")
@click.option("--token-file", type=click.Path(path_type=Path), help=f"Its token; or set {TOKEN_VARIABLE}.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Authorities for --forward instead of the system's.")
@click.option("--get-extensions-ingest-port", "--get-port", "get_port", is_flag=True, help="Print the kept port.")
@click.option("--set-extensions-ingest-port", "--set-port", "set_port", type=click.IntRange(1, 65_535), help="Keep it.")
@click.option("--restart-service", is_flag=True, help=f"With --set-port: restart {port_setting.SERVICE}.")
@click.option(
    "--settings-dir", type=click.Path(path_type=Path), default=SETTINGS_DIR, show_default=True,
    help="environment.yaml, hostgroup.yaml, host.yaml, port.yaml.",
)  # fmt: skip
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input ends, as a child of the agent does.")
def endpoint(
    host: str,
    port: int | None,
    store: Path | None,
    store_size: int,
    store_age: int | None,
    profile: str | None,
    lenient: bool,
    requests_per_minute: int | None,
    events_per_minute: int | None,
    read_timeout: int,
    body_timeout: int,
    idle_timeout: int,
    forward_url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    get_port: bool,
    set_port: int | None,
    restart_service: bool,
    settings_dir: Path,
    until_stdin_closes: bool,
) -> int:
    """Serve the local log ingest endpoint, on loopback only, with its log viewer.

    SIGTERM and Ctrl-C finish the requests under way and stop.
    """
    if get_port or set_port is not None or restart_service:
        return _about_the_port(settings_dir, get_port, set_port, restart_service)
    listening.addresses(host)
    said = enablement.read(settings_dir)
    if not said.active:
        say("endpoint_off", setting=said.switch, file=str(said.decided_by), hint="switched off: nothing listens")
        return 0
    read_token = functools.partial(_token, token_file)
    if forward_url is not None:
        read_token()
    elif token_file or ca_file:
        raise UsageError("--token-file and --ca-file go with --forward")
    plan = Plan(
        host=host,
        port=port_setting.get_port(settings_dir) if port is None else port,
        store=store or default_store(),
        max_bytes=store_size,
        max_age_ms=store_age,
        settings=Settings(
            profile=profile or "",
            rates=Rates(requests_per_minute, events_per_minute),
            lenient=lenient,
            patience=Patience(read_timeout / 1_000, body_timeout / 1_000, idle_timeout / 1_000),
        ),
        forward_url=forward_url,
        read_token=read_token,
        ca_file=ca_file,
        until_stdin_closes=until_stdin_closes,
    )
    from shipper.endpoint import serving  # noqa: PLC0415 -- --help and --get-port need no server

    serving.run(plan)
    return 0


def default_store() -> Path:
    """Return where events are kept when nobody says: the system's folder for root, else the user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/shipper/endpoint")
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "shipper" / "endpoint"


def _about_the_port(settings_dir: Path, get_port: bool, set_port: int | None, restart_service: bool) -> int:
    if set_port is None:
        if not get_port:
            raise UsageError("--restart-service goes with --set-port")
        click.echo(port_setting.get_port(settings_dir))
        return 0
    if get_port:
        raise UsageError("--get-port and --set-port exclude each other")
    path = port_setting.set_port(settings_dir, set_port)
    if restart_service:
        port_setting.restart_service()
        click.echo(f"port {set_port} kept in {path}; {port_setting.SERVICE} restarted")
    else:
        click.echo(f"port {set_port} kept in {path}; it counts from the next start (--restart-service does it now)")
    return 0


def _token(token_file: Path | None) -> str:
    """Return the token, from the file or the environment; never from an argument, which others can see.

    Raises:
        ConfigError: there is none.
    """
    if token_file is None:
        token, place = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
    else:
        place = str(token_file)
        try:
            with token_file.open(encoding="ascii") as file:
                token = file.read(_LONGEST_TOKEN_BYTES).strip()
        except OSError as error:
            raise ConfigError([f"{token_file}: cannot be read: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            raise ConfigError([f"{token_file}: holds no token: not ASCII"]) from error
    if not token:
        raise ConfigError([f"{place}: no token; --forward needs one from --token-file or {TOKEN_VARIABLE}"])
    return token
