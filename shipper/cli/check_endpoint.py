"""Who answers at the endpoint, asked with a request that sends nothing.

An empty array is refused with 400 and an error of the API's own shape by
whoever serves this route, so nothing is stored. Source: the reference page,
sections 3 and 7.
"""

from __future__ import annotations

from shipper.adapters.http_output import HttpOutput
from shipper.cli.check_report import Finding
from shipper.config import Endpoint
from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable

NOTHING = b"[]"


async def look_at_endpoint(endpoint: Endpoint) -> Finding:
    """Return what is there, and whether events would get through."""
    if endpoint.authorization is None and not endpoint.is_loopback:
        return Finding(
            "failed",
            f"{endpoint.url}: no token is given, and events are refused without one; "
            "write endpoint.token: ${file:/etc/shipper/token}",
        )
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
        return _unreachable(endpoint, str(error))
    finally:
        await output.close()
    return _judge(endpoint, answer)


def _unreachable(endpoint: Endpoint, cause: str) -> Finding:
    if endpoint.embedded and "nothing listens" in cause:
        return Finding("note", f"{endpoint.url}: nothing listens there now; the agent will serve it (embedded: true)")
    hint = "; start what should listen there, or write embedded: true" if endpoint.is_loopback else ""
    return Finding("failed", f"{endpoint.url}: {cause}{hint}")


def _judge(endpoint: Endpoint, answer: Response) -> Finding:
    server = answer.headers.get("server", "")
    who = f"{server!r} answers" if server else "something without a name answers"
    there = f"{endpoint.url}: {who}"
    used = ", and is used instead of the embedded endpoint" if endpoint.embedded else ""
    match answer.status:
        case 400 if b'"error"' in answer.body:
            return Finding("note", f"{there} and takes events{used}")
        case 200 | 202 | 204 | 400:
            text = f"{there} {answer.status} to an empty request, not as the API does: is it a log endpoint?{used}"
            return Finding("warning", text)
        case 401 | 403:
            return Finding(
                "failed", f"{there} {answer.status}: the token is wrong, has expired or has no scope logs.ingest"
            )
        case 404:
            return Finding(
                "failed",
                f"{there} 404: it takes no logs at this path; switch its log ingest on "
                "(Settings, Extension Execution Controller), or look at endpoint.url",
            )
        case 402 | 405 | 415 | 501:
            return Finding("failed", f"{there} {answer.status}: it takes no logs; look at endpoint.url")
        case 429 | 503:
            return Finding("warning", f"{there} {answer.status}: it is busy; the agent would wait")
        case _:
            return Finding("failed", f"{there} {answer.status}: that is no answer of a log endpoint")
