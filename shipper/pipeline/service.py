"""What the service manager is told while the agent runs, and when the watchdog is fed.

Fed only while the agent does what it is for: every loop goes round, and what
there is to do moves, or waits for a reason (the endpoint, a rate limit, a
full disk). Who is not fed is killed and started again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from shipper.service_notify import Notifier

TICK_SECONDS: Final = 3.0
STATUS_SHARE: Final = 0.002  # of the time goes into the status line at most: it counts over all files
START_SECONDS: Final = 60.0
"""Granted anew with each tick until the first scan is done: many files, or a slow disk, make a long start."""


class Service:
    """Owns the conversation with the service manager; used from the event loop only."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        status: Callable[[], str],
        ails: Callable[[], Sequence[str]],
        say: Callable[..., None],
    ) -> None:
        """Tell *notifier*.

        Args:
            notifier: Who listens.
            status: Returns a line for `systemctl status`.
            ails: Returns why the watchdog must not be fed, if it must not.
            say: Takes an event's name and its fields, as Journal.say does.
        """
        self._notifier = notifier
        self._status = status
        self._ails = ails
        self._say = say
        self._ready = False
        self._starved = False
        self._last = ""
        self._next_status = 0.0
        watchdog = notifier.watchdog_seconds
        self._tick_seconds = TICK_SECONDS if watchdog is None else min(TICK_SECONDS, watchdog / 2)

    def ready(self) -> None:
        """The first scan is done and the state is open, or a reload is over."""
        self._ready = True
        self._last = self._status()
        self._notifier.ready(self._last)

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._notifier.reloading()

    def stopping(self, seconds: float) -> None:
        """The agent drains and stops, which takes *seconds* at most."""
        self._notifier.stopping()
        self._notifier.extend(seconds)

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            self.tick()
            await asyncio.sleep(self._tick_seconds)

    def tick(self) -> None:
        """Say what is new, and that we are alive if we are."""
        if not self._notifier.heard:
            return
        if not self._ready:
            self._notifier.extend(START_SECONDS)
            return
        began = time.monotonic()
        if began >= self._next_status:
            status = self._status()
            now = time.monotonic()
            self._next_status = now + (now - began) / STATUS_SHARE
            if status != self._last:
                self._last = status
                self._notifier.status(status)
        if self._notifier.watchdog_seconds is not None:
            self._feed()

    def _feed(self) -> None:
        why = self._ails()
        if not why:
            self._starved = False
            self._notifier.alive()
        elif not self._starved:
            self._starved = True
            self._say("watchdog_not_fed", reason="; ".join(why))
