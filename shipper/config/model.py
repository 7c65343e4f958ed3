"""agent.yaml as frozen structs: every key of the spec page, with the defaults that are safe.

A field's name carries its unit where the key's does not (`flush_interval` is
`flush_interval_seconds` here). The "Attributes" paragraphs are the descriptions
in the JSON Schema too. What a value must be beyond its type: validate.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from shipper.config.endpoint_url import INGEST_PATH, host_and_port, is_loopback
from shipper.config.source_model import Source
from shipper.config.value_types import Duration, Secret, SecretText, Size, Switch, Words
from shipper.core.rule import EventLimits

_CLASSIC_LIMITS = EventLimits(content_bytes=8_192, value_bytes=250, attributes=50)
PROFILE_LIMITS = {"saas": EventLimits(), "classic": _CLASSIC_LIMITS, "managed": _CLASSIC_LIMITS}
"""What each profile's receiving side takes; `content_bytes` is the default here. Source: reference page, section 5."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Waiting between attempts: for ever, doubling, full jitter, Retry-After honoured.

    Attributes:
        initial_seconds: Longest wait before the second attempt.
        max_seconds: Longest wait before any attempt.
    """

    initial_seconds: Duration = msgspec.field(default=1.0, name="initial")
    max_seconds: Duration = msgspec.field(default=60.0, name="max")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events go, and in what portions.

    Attributes:
        url: Where events are posted; the ingest path is appended to a base URL.
        embedded: Whether this agent serves that endpoint itself (see `shipper endpoint`).
        token: Sent as `Authorization: Api-Token ...`, only to an https URL that is not loopback.
        gzip: auto is off for loopback and on for the public API.
        profile: Limits of the receiving side.
        target_request_bytes: A batch is sent when it is this large.
        flush_interval_seconds: A batch is sent when it is this old; after a pause as long, at once.
        max_request_bytes: Hard cap of a request, of the uncompressed JSON.
        max_request_events: Hard cap of a request's events.
        max_content_bytes: Longer records are split; default 64KiB, under classic and managed 8KiB.
        concurrency: Requests under way at a time.
        connect_timeout_seconds: For a connection to be made.
        timeout_seconds: For a request to be answered.
        retry: Waiting between attempts.
        too_old: What happens to an event older than the endpoint takes (24 h).
    """

    url: str = f"http://127.0.0.1:14499{INGEST_PATH}"
    embedded: bool = False
    token: SecretText | None = None
    gzip: Switch = "auto"
    profile: Literal["saas", "classic", "managed"] = "saas"
    target_request_bytes: Annotated[Size, Meta(ge=1)] = 1 << 20
    flush_interval_seconds: Duration = msgspec.field(default=1.0, name="flush_interval")
    max_request_bytes: Annotated[Size, Meta(ge=1)] = 4_500_000
    max_request_events: Annotated[int, Meta(ge=1)] = 20_000
    max_content_bytes: Annotated[Size, Meta(ge=64)] | None = None
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    connect_timeout_seconds: Duration = msgspec.field(default=3.0, name="connect_timeout")
    timeout_seconds: Duration = msgspec.field(default=12.0, name="timeout")
    retry: Retry = Retry()
    too_old: Literal["restamp", "drop", "dead_letter"] = "restamp"

    @property
    def host(self) -> str:
        """The host of the URL, without brackets."""
        return host_and_port(self.url)[0]

    @property
    def port(self) -> int:
        """The port of the URL, the scheme's own where none is written."""
        return host_and_port(self.url)[1]

    @property
    def is_loopback(self) -> bool:
        """Whether events stay on this machine."""
        return is_loopback(self.host)

    @property
    def compresses(self) -> bool:
        """Whether requests are sent gzip-compressed."""
        return self.gzip == "on" or (self.gzip == "auto" and not self.is_loopback)

    @property
    def authorization(self) -> str | None:
        """Value of the Authorization header; None where no token may be sent.

        A token that names its scheme (`Bearer ...`) keeps it. Source: reference page, section 1.
        """
        if not self.token or self.is_loopback or urlsplit(self.url).scheme != "https":
            return None
        names_scheme = self.token.lower().startswith(("api-token ", "bearer "))
        return str.__str__(self.token) if names_scheme else "Api-Token " + self.token

    @property
    def event_limits(self) -> EventLimits:
        """The profile's limits, with the configured length of a record."""
        limits = PROFILE_LIMITS[self.profile]
        if self.max_content_bytes is None:
            return limits
        return msgspec.structs.replace(limits, content_bytes=self.max_content_bytes)


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agent may use.

    Attributes:
        memory_bytes: Bytes read and not yet acknowledged, over all files.
        spill_bytes: Room for unread bytes of deleted files, compressed; when it is full the oldest go. 0 for none.
        open_files: Files held open at a time.
        scan_seconds: Time between reconciliation scans.
        ledger_seconds: How long the ledger keeps single spans of a file, and the account of one that is gone.
    """

    memory_bytes: Annotated[Size, Meta(ge=4 << 20)] = msgspec.field(default=64 << 20, name="memory")
    spill_bytes: Size = msgspec.field(default=1 << 30, name="spill")
    open_files: Annotated[int, Meta(ge=8)] = 512
    scan_seconds: Annotated[Duration, Meta(ge=0.05)] = msgspec.field(default=5.0, name="scan")
    ledger_seconds: Duration = msgspec.field(default=7 * 86_400.0, name="ledger")


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store of events that were refused.

    Attributes:
        max_bytes: Room for them.
        when_full: stop (nothing is lost) or drop_oldest (counted).
    """

    max_bytes: Annotated[Size, Meta(ge=1)] = 256 << 20
    when_full: Literal["stop", "drop_oldest"] = "stop"


class Monitoring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the agent can be watched: metrics and health over HTTP, its own figures among the events.

    Attributes:
        port: Of `/metrics`, `/health`, `/livez` and `/readyz`; 0 for none. 14498 is customary.
        host: Address to listen on. Beyond this host, whoever reaches it sees the names of sources and files.
        self_events_seconds: How often the agent sends its own figures as an event, source `shipper.self`; 0 for never.
    """

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    host: str = "127.0.0.1"
    self_events_seconds: Duration = msgspec.field(default=0.0, name="self_events")


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the shipper agent.

    Attributes:
        state_dir: Offsets, dead letters, spill and control socket; one agent per folder. Default /var/lib/shipper for
            root, else ~/.local/state/shipper.
        endpoint: Where events go.
        limits: What the agent may use.
        dead_letters: The store of events that were refused.
        monitoring: How the agent can be watched.
        attributes: On every event; host.name and dt.ingest.origin are set unless given here.
        include: Further files with sources, relative to this file; globs are allowed.
        sources: Which files are read, and how; the first source that matches a file owns it.
    """

    state_dir: str | None = None
    endpoint: Endpoint = Endpoint()
    limits: Limits = Limits()
    dead_letters: DeadLetters = DeadLetters()
    monitoring: Monitoring = Monitoring()
    attributes: dict[str, Words] = {}
    include: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


class Included(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that `include` names: sources and nothing else.

    Attributes:
        sources: Which files are read, and how.
    """

    sources: tuple[Source, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that was loaded and found right; paths are absolute.

    Attributes:
        path: The file it was read from.
        state_dir: Where the agent keeps its state.
        attributes: On every event.
        sources: In file order, those of included files after the file's own.
        zone: IANA name of the host's zone, for stamps that name none.
        preset_dirs: Folders with presets beyond those that come with the project.
    """

    path: Path
    state_dir: Path
    endpoint: Endpoint = Endpoint()
    limits: Limits = Limits()
    dead_letters: DeadLetters = DeadLetters()
    monitoring: Monitoring = Monitoring()
    attributes: dict[str, Words] = {}
    sources: tuple[Source, ...] = ()
    zone: str = "UTC"
    preset_dirs: tuple[Path, ...] = ()


__all__ = [
    "Config", "DeadLetters", "Document", "Endpoint", "Included", "Limits", "Monitoring", "Retry", "Secret", "Source",
]  # fmt: skip
