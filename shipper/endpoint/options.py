"""What an operator may choose, as types: from the command line to the parts that obey it.

Nothing here does anything, and nothing heavy is imported: `--get-port` should not pay for a server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

MOST_CONNECTIONS: Final = 4_000


class Patience(msgspec.Struct, frozen=True):
    """How long clients may take, in seconds.

    Attributes:
        read_seconds: For a whole head from its first byte, and between two pieces of a body.
        body_seconds: For a whole body, and to take the part of an answer that no buffer has room for.
        idle_seconds: Between two requests of a connection.
    """

    read_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0


class Rates(msgspec.Struct, frozen=True):
    """Limits a minute; None is no limit."""

    requests: int | None = None
    events: int | None = None


class Settings(msgspec.Struct, frozen=True):
    """What the operator may choose of the server.

    Attributes:
        profile: saas, classic, managed, or "" for our own limits.
        rates: Limits a minute.
        lenient: A request without Content-Type is taken as JSON.
        patience: With slow clients.
        most_connections: Past these the one idle longest makes room.
    """

    profile: str = ""
    rates: Rates = Rates()
    lenient: bool = False
    patience: Patience = Patience()
    most_connections: int = MOST_CONNECTIONS


class Plan(msgspec.Struct, frozen=True):
    """What to run.

    Attributes:
        host, port: As `listening.listen` takes them.
        store: The folder of the events.
        max_bytes: Of the store on disk.
        max_age_ms: Older events are let go; None keeps them while there is room.
        settings: The server's.
        forward_url: Where events go on to; None keeps them here.
        read_token: Returns the token for it; asked again for each request, so that a new one counts at once.
        ca_file: Trusted for it in place of the system's authorities.
        until_stdin_closes: The end of standard input is the end of the endpoint.
    """

    host: str
    port: int
    store: Path
    max_bytes: int
    max_age_ms: int | None = None
    settings: Settings = Settings()
    forward_url: str | None = None
    read_token: Callable[[], str] = str
    ca_file: Path | None = None
    until_stdin_closes: bool = False
