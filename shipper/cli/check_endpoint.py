"""Who answers at the endpoint, asked with a request that sends nothing; core/diagnosis_endpoint.py judges."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from shipper.adapters.host_processes import listener
from shipper.adapters.http_output import HttpOutput
from shipper.cli.check_report import Finding, Level
from shipper.config import Endpoint
from shipper.core import diagnosis, diagnosis_endpoint
from shipper.core.delivery import Response
from shipper.core.diagnosis_endpoint import Target
from shipper.errors import EndpointUnreachable

NOTHING = b"[]"
EMBEDDED = "shipper.endpoint"
"""The module that an agent with `embedded: true` runs as its child."""
_LEVELS: dict[diagnosis.Level, Level] = {"ok": "note", "warn": "warning", "fail": "failed"}


class Asked(NamedTuple):
    """What was found, and how far this host's clock is ahead of the endpoint's; None where that is the same clock."""

    finding: diagnosis.Finding
    skew_seconds: float | None


async def look_at_endpoint(endpoint: Endpoint) -> Finding:
    """Return what is there, and whether events would get through, for `shipper check`."""
    found = (await ask(endpoint)).finding
    text = f"{found.text}: {found.why}" if found.why else found.text
    return Finding(_LEVELS[found.level], text, found.mend)


async def ask(endpoint: Endpoint) -> Asked:
    """Ask, with the token and through the proxy that the agent uses."""
    target = target_of(endpoint)
    if endpoint.authorization is None and not endpoint.is_loopback:
        return Asked(diagnosis_endpoint.without_token(target), None)
    output = HttpOutput(
        endpoint.url,
        loopback=endpoint.is_loopback,
        authorization=endpoint.authorization,
        connect_timeout_seconds=endpoint.connect_timeout_seconds,
        timeout_seconds=endpoint.timeout_seconds,
        connections=1,
    )
    try:
        answer = await output.post([NOTHING])
    except EndpointUnreachable as error:
        return Asked(diagnosis_endpoint.unreachable(target, str(error)), None)
    finally:
        await output.close()
    return Asked(diagnosis_endpoint.answered(target, answer), None if endpoint.is_loopback else _skew(answer))


def target_of(endpoint: Endpoint) -> Target:
    """Return *endpoint* as it is judged, with the program that listens there where that is this host."""
    program = listener(endpoint.port) if endpoint.is_loopback else None
    own = program is not None and EMBEDDED in program.command
    return Target(
        url=endpoint.url, host=endpoint.host, loopback=endpoint.is_loopback, embedded=endpoint.embedded and not own,
        program=str(program) if program is not None else "",
    )  # fmt: skip


def _skew(answer: Response) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
