"""What `shipper top` shows, fetched in threads of its own: a key is answered at once, however slow the agent is."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from shipper.adapters.control import ask, follow
from shipper.cli.tap import Tapped
from shipper.cli.top_view import Latest
from shipper.errors import ShipperError
from shipper.pipeline.status import Status

ANSWER_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 1.0
FILES: Final = 1000
EVENTS_A_SECOND: Final = 10
EVENTS_KEPT: Final = 50


class _Event(msgspec.Struct):
    content: str = ""
    timestamp: str = ""
    severity: str = ""
    source: str = msgspec.field(default="", name="log.source")


class Feed:
    """Owns the threads; they end with the process, or soon after `stop`.

    Attributes:
        status: The last answer.
        trouble: Why there is no newer one.
        events: The latest, oldest first.
    """

    def __init__(self, state_dir: Path, interval_seconds: float) -> None:
        """Nothing is asked yet."""
        self.status: Status | None = None
        self.trouble = ""
        self.events: deque[Latest] = deque(maxlen=EVENTS_KEPT)
        self._state_dir = state_dir
        self._interval_seconds = interval_seconds
        self._source: str | None = None
        self._now = threading.Event()
        self._news = threading.Event()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        for ask_on in (self._ask_on, self._tap_on):
            threading.Thread(target=ask_on, daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        self._now.set()

    def look_into(self, source: str | None) -> None:
        """Ask for the files and events of *source* from now on; None for the events of all, and no files."""
        if source != self._source:
            self._source = source
            self.events.clear()
            self._now.set()

    def take_news(self) -> bool:
        """Return whether anything has come since the last call."""
        news = self._news.is_set()
        self._news.clear()
        return news

    def look(self, source: str | None) -> Status:
        """Ask once.

        Raises:
            ShipperError: No agent answers, or what it says.
        """
        wanted = {"source": source, "files": FILES if source is not None else 0}
        return msgspec.convert(ask(self._state_dir, "status", wanted, ANSWER_SECONDS), Status)

    def _ask_on(self) -> None:
        while not self._stopping.is_set():
            self._now.clear()
            try:
                self.status, self.trouble = self.look(self._source), ""
            except ShipperError as error:
                self.trouble = str(error)
            self._news.set()
            self._now.wait(self._interval_seconds)

    def _tap_on(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tap(self._source)
            except ShipperError:
                self._stopping.wait(AGAIN_SECONDS)  # the other thread says so

    def _tap(self, source: str | None) -> None:
        lines = follow(self._state_dir, "tap", {"source": source, "per_second": EVENTS_A_SECOND}, ANSWER_SECONDS)
        try:
            for line in lines:
                if self._stopping.is_set() or source != self._source:
                    return
                for raw in msgspec.json.decode(line, type=Tapped).events:
                    event = msgspec.json.decode(raw, type=_Event)
                    self.events.append(Latest(event.timestamp, event.severity, event.source, event.content))
                    self._news.set()
        finally:
            lines.close()
        self._stopping.wait(AGAIN_SECONDS)
