"""Sends dead letters once more, where no agent runs that could.

Only for the operator's ``shipper dlq replay``: nothing is retried here, since
a letter that is not delivered simply stays. Statuses as in the reference page
of the ingest API: 204 accepted, 200 partly refused without saying which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from shipper import __version__
from shipper.config.endpoint_url import host_and_port, is_loopback
from shipper.core.letters import DeadLetter, for_replay
from shipper.errors import EndpointUnreachable

# The endpoint takes events of the last 24 hours, measured at arrival; a minute is for the way.
_ACCEPTED_AGE_MS: Final = (24 * 3600 - 60) * 1000
_TARGET_REQUEST_BYTES: Final = 1 << 20
_PARTLY: Final = 200
_SPLITTABLE: Final = {400, 413}

Encoded = tuple[str, bytes]


class Replayer:
    """Posts letters to one endpoint; call it with letters that have an event."""

    def __init__(self, url: str, token: str | None, timeout_seconds: float, now_ms: Callable[[], int]) -> None:
        """Send to *url*, with the token where the way is encrypted and not to this host itself."""
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._now_ms = now_ms
        self._headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"shipper/{__version__}",
        }
        self._is_local = is_loopback(host_and_port(url)[0])
        if token and not self._is_local and urlsplit(url).scheme == "https":
            self._headers["Authorization"] = f"Api-Token {token}"

    async def __call__(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Return the ids of the letters that the endpoint has taken.

        Raises:
            EndpointUnreachable: It does not answer, or not about the events; none was taken.
        """
        now = self._now_ms()
        events = [
            (letter.id, msgspec.json.encode(for_replay(letter.event, now, now - _ACCEPTED_AGE_MS)))
            for letter in letters
            if letter.event is not None
        ]
        delivered = list[str]()
        async with aiohttp.ClientSession(
            timeout=self._timeout, headers=self._headers, trust_env=not self._is_local
        ) as session:
            waiting = list(_requests(events))[::-1]
            while waiting:
                request = waiting.pop()
                try:
                    status = await self._post(session, request)
                except EndpointUnreachable:
                    if delivered:
                        break  # these must be dropped; the next call raises
                    raise
                if status in _SPLITTABLE and len(request) > 1:
                    middle = len(request) // 2
                    waiting += [request[middle:], request[:middle]]
                elif status not in {_PARTLY, *_SPLITTABLE}:
                    delivered += [letter_id for letter_id, _ in request]
        return delivered

    async def _post(self, session: aiohttp.ClientSession, request: Sequence[Encoded]) -> int:
        body = b"[" + b",".join(event for _, event in request) + b"]"
        try:
            async with session.post(self._url, data=body, allow_redirects=False) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EndpointUnreachable(f"{self._url}: {error or type(error).__name__}") from error
        if not 200 <= status < 300 and status not in _SPLITTABLE:
            raise EndpointUnreachable(f"{self._url}: answers with status {status}; the letters stay")
        return status


def _requests(events: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    request, size = list[Encoded](), 0
    for event in events:
        if request and size + len(event[1]) > _TARGET_REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(event)
        size += len(event[1]) + 1
    if request:
        yield request
