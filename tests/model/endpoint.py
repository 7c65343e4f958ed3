"""A scripted endpoint in the agent's own loop: what it has taken, and what it answers next."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from enum import Enum
from typing import Final

from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable
from shipper.pipeline.attempts import Pieces

POISON: Final = "poison"


class Answer(Enum):
    """What the endpoint does with a request."""

    TAKE = "takes it"
    REFUSED = "does not listen"
    TROUBLE = "answers 500"
    BUSY = "answers 429 with a Retry-After"
    TOO_LARGE = "answers 413 to more than one event"
    LOST = "takes it, and the answer is lost"
    LATE = "takes it after three seconds"
    HANGS = "never answers"
    PARTIAL = "answers 200 and refuses one event without naming it"


class Endpoint:
    """Takes events, or does as it is told.

    Attributes:
        taken: Contents that were taken.
        sent: Contents of every request, in the order in which they came, whatever the answer.
        script: Answers to come; when it is empty, *standing* is the answer.
        answers_lost: How often events were taken without the agent knowing.
        refused_unnamed: Contents of requests of which one event was refused.
    """

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.sent: list[str] = []
        self.script: deque[Answer] = deque()
        self.standing = Answer.TAKE
        self.answers_lost = 0
        self.refused_unnamed: list[list[str]] = []

    async def post(self, pieces: Pieces) -> Response:
        """Answer one request."""
        contents = [str(event["content"]) for event in json.loads(b"".join(pieces))]
        self.sent += contents
        answer = self.script.popleft() if self.script else self.standing
        if answer is Answer.REFUSED:
            raise EndpointUnreachable("connection refused")
        if answer is Answer.HANGS:
            await asyncio.sleep(3600)
        if answer is Answer.TROUBLE:
            return Response(500, {}, b"")
        if answer is Answer.BUSY:
            return Response(429, {"retry-after": "2"}, b"")
        if answer is Answer.TOO_LARGE and len(contents) > 1:
            return Response(413, {}, b"")
        if any(POISON in text for text in contents):
            return Response(400, {}, b'{"error":{"code":400,"message":"bad event"}}')
        if answer is Answer.PARTIAL and len(contents) > 1:
            self.refused_unnamed.append(contents)
            self.taken += contents[1:]
            return Response(200, {}, json.dumps({"details": {"message": "1 event was not ingested"}}).encode())
        self.taken += contents
        if answer is Answer.LATE:
            await asyncio.sleep(3)
        if answer is Answer.LOST:
            self.answers_lost += 1
            raise EndpointUnreachable("connection reset")
        return Response(204, {}, b"")

    async def close(self) -> None:
        """Hold nothing."""
