"""The agent watched from outside: `status` and `tap` on the control socket; over HTTP, where `monitoring` in agent.yaml
asks for it, the pages of monitoring_pages.py.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from shipper.adapters.control import Handler, Stream
from shipper.pipeline.assembly import Parts, wall_clock_ms
from shipper.pipeline.clock import Clock
from shipper.pipeline.journal import Journal
from shipper.pipeline.self_events import SelfEvents
from shipper.pipeline.survey import Survey
from shipper.pipeline.tapping import Tapping

if TYPE_CHECKING:
    from shipper.pipeline.monitoring_pages import MonitoringPages


class Monitoring:
    """Owns the survey, the taps and the pages."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        """Look at *parts*; nothing is served yet."""
        self._settings = parts.config.monitoring
        self._parts = parts
        self._survey = survey = Survey(parts, Clock(wall_clock_ms, time.monotonic))
        self._tapping = Tapping(time.monotonic, survey.sources, lambda: parts.sender.health.state)
        parts.sender.tapping = self._tapping
        self._journal = journal
        self._pages: MonitoringPages | None = None

    def handlers(self) -> dict[str, Handler]:
        """Return the commands of the control socket."""
        return {"status": self._survey.answer}

    def streams(self) -> dict[str, Stream]:
        """Return its streams."""
        return {"tap": self._tapping.stream}

    def tasks(self) -> dict[str, Coroutine[object, object, None]]:
        """Return what is to run beside the pipeline, by name."""
        tasks: dict[str, Coroutine[object, object, None]] = {"survey": self._survey.run()}
        if self._settings.port:
            tasks["monitoring"] = self._serve()
        if self._settings.self_events_seconds:
            tasks["self events"] = self._self_events().run(self._settings.self_events_seconds)
        return tasks

    async def stop(self) -> None:
        """Close the port."""
        if self._pages is not None:
            await self._pages.stop()

    async def _serve(self) -> None:
        # A web server and Prometheus's library take a tenth of a start, and most agents serve no page.
        from shipper.pipeline.monitoring_pages import MonitoringPages  # noqa: PLC0415

        self._pages = MonitoringPages(self._parts, self._survey, self._journal)
        await self._pages.serve()

    def _self_events(self) -> SelfEvents:
        attributes = {"host.name": socket.gethostname(), **self._parts.config.attributes}
        return SelfEvents(self._survey.status, self._parts.output, self._parts.sender.attempts, attributes)
