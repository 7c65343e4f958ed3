"""What agent.yaml's values must be beyond their type: the agent's own keys. Sources: validate_sources.py.

Limits of the receiving side come from the reference page, section 5.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from shipper.config.endpoint_url import INGEST_PATH, request_url
from shipper.config.model import PROFILE_LIMITS, Document, Endpoint, Monitoring
from shipper.config.place import Place
from shipper.config.units import duration_text
from shipper.core.rule import EventLimits

MOST_REQUEST_BYTES: Final = 10_485_760
MOST_REQUEST_EVENTS: Final = 50_000
MOST_CONTENT_BYTES: Final = {"saas": 10_485_760, "classic": 8_192, "managed": 8_192}
LEAST_SELF_EVENTS_SECONDS: Final = 1.0
# What an event is besides its content: keys, path, attributes.
_ROOM_BESIDE_CONTENT: Final = 4_096

# Set by the agent for each record, or what the endpoint reads as something else than an attribute.
OWN_NAMES: Final = frozenset(
    {
        "content", "message", "timestamp", "severity", "loglevel", "status", "level", "event.type",
        "log.source", "log.file.path", "log.file.name", "log.part", "log.record_id", "log.raw_level",
        "log.timestamp_source", "log.original_timestamp", "log.trimmed",
    }
)  # fmt: skip


def check_document(document: Document, place: Place) -> None:
    """Note in *place* what is wrong with the keys of *document* but its sources."""
    endpoint_place = place.at("endpoint")
    check_attributes(document.attributes, PROFILE_LIMITS[document.endpoint.profile], place.at("attributes"))
    _check_url(document.endpoint, endpoint_place)
    _check_durations(document, place)
    _check_monitoring(document.monitoring, place.at("monitoring"))
    if document.state_dir is not None and "\0" in document.state_dir:
        place.at("state_dir").wrong("a path holds no NUL")
    # One wrong size makes every comparison with it wrong: the operator mends that one first.
    if not endpoint_place.has_problem:
        _check_sizes(document.endpoint, endpoint_place)


def check_attributes(attributes: dict[str, str], limits: EventLimits, place: Place) -> None:
    """Note in *place* which static attributes the endpoint would trim or take for something else."""
    if len(attributes) > limits.attributes:
        place.wrong(f"{len(attributes)} attributes are over the endpoint's limit of {limits.attributes}; remove some")
    for key, value in attributes.items():
        at = place.at(key)
        key_bytes, value_bytes = len(key.encode()), len(value.encode())
        if not key.strip():
            at.wrong("an attribute needs a name")
        elif key.lower() in OWN_NAMES:
            at.wrong(f"{key!r} is set by the agent for each event; choose another name")
        elif key_bytes > limits.key_bytes:
            at.wrong(f"a name of {key_bytes} bytes is over the endpoint's limit of {limits.key_bytes}; shorten it")
        if value_bytes > limits.value_bytes:
            at.wrong(f"a value of {value_bytes} bytes is over the endpoint's limit of {limits.value_bytes}; shorten it")


def _check_url(endpoint: Endpoint, place: Place) -> None:
    at = place.at("url")
    if at.has_problem:
        return
    try:
        url = request_url(endpoint.url)
    except ValueError as error:
        at.wrong(str(error))
        return
    resolved = Endpoint(url=url)
    scheme = urlsplit(url).scheme
    if endpoint.embedded:
        _check_embedded(resolved, scheme, place)
    if endpoint.token is None:
        return
    if scheme == "http" and not resolved.is_loopback:
        place.at("token").wrong(f"would be sent in clear to {resolved.host}; write https in endpoint.url")
    if not endpoint.token.isascii() or not endpoint.token.isprintable():
        place.at("token").wrong("holds a line break or a character that no token has; look at where it comes from")


def _check_embedded(resolved: Endpoint, scheme: str, place: Place) -> None:
    if scheme != "http" or not resolved.is_loopback:
        place.at("embedded").wrong(
            "this agent can serve only an http URL of this host; "
            f"write endpoint.url: http://127.0.0.1:14499{INGEST_PATH}, or embedded: false"
        )
    elif urlsplit(resolved.url).path != INGEST_PATH:
        place.at("url").wrong(f"the embedded endpoint serves the path {INGEST_PATH}; write that, or none")


def _check_sizes(endpoint: Endpoint, place: Place) -> None:
    most_content = MOST_CONTENT_BYTES[endpoint.profile]
    content = endpoint.event_limits.content_bytes
    if endpoint.max_request_bytes > MOST_REQUEST_BYTES:
        place.at("max_request_bytes").wrong(
            f"{endpoint.max_request_bytes} is over the endpoint's limit of {MOST_REQUEST_BYTES}; lower it"
        )
    if endpoint.target_request_bytes > endpoint.max_request_bytes:
        place.at("target_request_bytes").wrong(
            f"{endpoint.target_request_bytes} is over max_request_bytes, {endpoint.max_request_bytes}; lower it"
        )
    if endpoint.max_request_events > MOST_REQUEST_EVENTS:
        place.at("max_request_events").wrong(
            f"{endpoint.max_request_events} is over the endpoint's limit of {MOST_REQUEST_EVENTS}; lower it"
        )
    if content > most_content:
        place.at("max_content_bytes").wrong(
            f"{content} is over the limit of {most_content} under profile {endpoint.profile}; lower it"
        )
    elif content + _ROOM_BESIDE_CONTENT > endpoint.max_request_bytes:
        place.at("max_content_bytes").wrong(
            f"{content} leaves no room for an event in max_request_bytes, {endpoint.max_request_bytes}; lower it"
        )


def _check_monitoring(monitoring: Monitoring, place: Place) -> None:
    if monitoring.host != "localhost":
        try:
            ipaddress.ip_address(monitoring.host)
        except ValueError:
            place.at("host").wrong(f"{monitoring.host!r} is no address to listen on; write one such as 127.0.0.1")
    if 0 < monitoring.self_events_seconds < LEAST_SELF_EVENTS_SECONDS:
        least = duration_text(LEAST_SELF_EVENTS_SECONDS)
        place.at("self_events").wrong(f"the agent would talk more of itself than of the logs; write {least} or more")


def _check_durations(document: Document, place: Place) -> None:
    endpoint, at = document.endpoint, place.at("endpoint")
    for key, seconds in (
        ("connect_timeout", endpoint.connect_timeout_seconds),
        ("timeout", endpoint.timeout_seconds),
    ):
        if seconds <= 0:
            at.at(key).wrong("no time at all is left for an answer; raise it")
    retry, retry_at = endpoint.retry, at.at("retry")
    if retry.initial_seconds <= 0:
        retry_at.at("initial").wrong("a refused batch would be sent again without a pause; raise it")
    elif retry.max_seconds < retry.initial_seconds and not retry_at.has_problem:
        longest, first = duration_text(retry.max_seconds), duration_text(retry.initial_seconds)
        retry_at.at("max").wrong(f"{longest} is under retry.initial, {first}; raise it")
