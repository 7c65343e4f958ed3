"""What an answer to a request without events says of the endpoint, and whether a proxy stands in the way.

An empty array is refused with 400 and an error of the API's own shape by
whoever serves this route, so nothing is stored. Source: the reference page,
sections 1, 3 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from shipper.core.delivery import Response
from shipper.core.diagnosis import Finding


class Target(msgspec.Struct, frozen=True):
    """The endpoint that is meant.

    Attributes:
        url: Of the ingest route.
        host: Its host.
        loopback: Whether that is this host.
        embedded: Whether the agent is to serve it itself, and does not yet.
        program: What listens on its port here, `nginx (process 812)`; empty where that cannot be seen.
    """

    url: str
    host: str
    loopback: bool
    embedded: bool = False
    program: str = ""


def without_token(target: Target) -> Finding:
    """Say that a token is missing."""
    return Finding(
        "endpoint", "fail", f"{target.url}: no token is given, and events are refused without one",
        mend="endpoint.token: ${file:/etc/shipper/token} in agent.yaml, with a token of the scope logs.ingest",
    )  # fmt: skip


def unreachable(target: Target, cause: str) -> Finding:
    """Judge that no answer came, for *cause*."""
    if target.embedded and "nothing listens" in cause:
        text = f"{target.url}: nothing listens there now; the agent will serve it (embedded: true)"
        return Finding("endpoint", "ok", text)
    mend = ""
    if target.loopback and "nothing listens" in cause:
        mend = "start what should listen there, or write endpoint.embedded: true in agent.yaml"
    elif cause.startswith("TLS"):
        mend = (
            "install the authority that signed its certificate (update-ca-certificates), or write the name that the "
            "certificate has in endpoint.url"
        )
    elif "resolved" in cause:
        mend = f"look at the host in endpoint.url, and at the resolver: getent hosts {target.host}"
    elif "closed before" in cause or "no answer" in cause:
        mend = "look at what listens there: it is no HTTP server, or it hangs" if target.loopback else ""
    elif not target.loopback:
        mend = f"let the firewall pass it, or name a proxy in HTTPS_PROXY: curl -v {target.url}"
    listening = f"; {target.program} listens there" if target.program else ""
    return Finding("endpoint", "fail", f"{target.url}: {cause}{listening}", mend=mend)


def answered(target: Target, answer: Response) -> Finding:
    """Judge an answer to a request without events."""
    there = f"{target.url}: {_who(target, answer)}"
    used = ", and is used instead of the embedded endpoint" if target.embedded else ""
    match answer.status:
        case 400 if b'"error"' in answer.body:
            return Finding("endpoint", "ok", f"{there} answers and takes events{used}")
        case 200 | 202 | 204 | 400:
            text = f"{there} answers {answer.status} to an empty request, not as the API does{used}"
            return Finding("endpoint", "warn", text, "is it a log endpoint?", _look_at(target))
        case 401 | 403:
            text = f"{there} answers {answer.status}: the token is wrong, has expired or has no scope logs.ingest"
            return Finding("endpoint", "fail", text, mend="make a token with the scope logs.ingest: endpoint.token")
        case 404:
            return _not_found(target, there)
        case 402:
            text = f"{there} answers 402: the licence or the quota of that environment is used up"
            return Finding("endpoint", "fail", text, "the agent would wait, and read no further")
        case 405 | 415 | 501:
            return Finding("endpoint", "fail", f"{there} answers {answer.status}: it takes no logs",
                           mend=_look_at(target))  # fmt: skip
        case 429 if b"disabled" in answer.body.lower():
            text = f"{there} answers 429: log ingest is disabled there"
            return Finding("endpoint", "fail", text, "the agent would wait, and read no further", _switch_on())
        case 429 | 503:
            text = f"{there} answers {answer.status}: it is busy; the agent would wait"
            return Finding("endpoint", "warn", text)
        case 407:
            text = f"{there} answers 407: the proxy wants a name and a password"
            return Finding("endpoint", "fail", text, mend="HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT")
        case 301 | 302 | 303 | 307 | 308:
            to = answer.headers.get("location", "elsewhere").partition("?")[0]
            text = f"{there} answers {answer.status}: it sends to {to}, which is not followed"
            return Finding("endpoint", "fail", text, mend="write the URL that takes logs in endpoint.url")
        case _:
            text = f"{there} answers {answer.status}: that is no answer of a log endpoint"
            return Finding("endpoint", "fail", text, mend=_look_at(target))


def _who(target: Target, answer: Response) -> str:
    server = answer.headers.get("server", "")
    who = f"{server!r}" if server else "something without a name"
    return f"{who} from {target.program}" if target.program else who


def _not_found(target: Target, there: str) -> Finding:
    text = f"{there} answers 404: it takes no logs at this path"
    if not target.loopback:
        why = "no log ingest is served at this URL: another environment, or an ActiveGate without it"
        return Finding("endpoint", "fail", text, why, _look_at(target))
    why = "a OneAgent answers so while log ingest is switched off; any other program has nothing to do with logs"
    return Finding("endpoint", "fail", text, why, f"on a OneAgent {_switch_on()}; else {_look_at(target)}")


def _switch_on() -> str:
    return "switch its log ingest on (Settings, Extension Execution Controller)"


def _look_at(target: Target) -> str:
    other = ", or free the port for what should listen there" if target.loopback else ""
    return f"look at endpoint.url in agent.yaml{other}"


def proxies(target: Target, variables: Mapping[str, str], used: str | None) -> Iterator[Finding]:
    """Judge the proxy variables.

    Args:
        target: The endpoint.
        variables: Those that are set, by name.
        used: The URL of the proxy that requests go through; None for none.
    """
    named = ", ".join(sorted(variables))
    if not variables:
        yield Finding("proxy", "ok", "no proxy is set")
    elif target.loopback:
        yield Finding("proxy", "ok", f"{named} set, and not used: the endpoint is on this host")
    elif used is None:
        yield Finding("proxy", "ok", f"{named} set, and not used for {target.host}")
    else:
        text = f"requests to {target.host} go through {_without_password(used)}"
        yield Finding("proxy", "ok", f"{text} ({named} set)")


def _without_password(url: str) -> str:
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
