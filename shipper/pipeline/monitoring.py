"""The agent watched from outside: `status` and `tap` on the control socket; over HTTP, where `monitoring` in agent.yaml
asks for it, /metrics, /health, /livez and /readyz.

A port that is taken keeps no log from being delivered: it is said, and tried
again until it can be had.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Coroutine
from typing import Final

import msgspec

from shipper.adapters.control import Handler, Stream
from shipper.adapters.health_server import CannotListen, HealthServer, Page
from shipper.pipeline.assembly import Parts, wall_clock_ms
from shipper.pipeline.clock import Clock
from shipper.pipeline.health import Colour
from shipper.pipeline.journal import Journal
from shipper.pipeline.metrics import Metrics
from shipper.pipeline.self_events import SelfEvents
from shipper.pipeline.survey import Survey
from shipper.pipeline.tapping import Tapping

RETRY_SECONDS: Final = 10.0
ONLY_A_RESTART_HELPS: Final = "loop_silent"  # the one reason that a probe of life should hear
_JSON: Final = "application/json"


class Monitoring:
    """Owns the port, the survey and the taps."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        """Look at *parts*; nothing is served yet."""
        self._settings = parts.config.monitoring
        self._parts = parts
        self._survey = survey = Survey(parts, Clock(wall_clock_ms, time.monotonic))
        self._tapping = Tapping(time.monotonic, survey.sources, lambda: parts.sender.health.state)
        parts.sender.tapping = self._tapping
        self._journal = journal
        self._metrics = Metrics(parts.conversion.append_to_ack, parts.sender.attempts.seconds)
        pages = {"/metrics": self._metrics_page, "/health": self._health, "/livez": self._live, "/readyz": self._ready}
        self._server = HealthServer(self._settings.host, self._settings.port, pages)

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
        await self._server.stop()

    async def _serve(self) -> None:
        host, port = self._settings.host, self._settings.port
        while True:
            try:
                await self._server.start()
            except CannotListen as error:
                self._journal.once("monitoring_not_served", "monitoring", error=str(error), hint="see monitoring.port")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._journal.over("monitoring_not_served", "monitoring")
            shown = f"[{host}]" if ":" in host else host
            self._journal.say("monitoring_ready", url=f"http://{shown}:{port}/metrics")
            await self._server.failed()

    def _self_events(self) -> SelfEvents:
        attributes = {"host.name": socket.gethostname(), **self._parts.config.attributes}
        return SelfEvents(self._survey.status, self._parts.output, self._parts.sender.attempts, attributes)

    # -- pages ---------------------------------------------------------------------------------------

    async def _metrics_page(self) -> Page:
        body, content_type = self._metrics.page(await self._survey.status())
        return Page(200, body, content_type)

    async def _health(self) -> Page:
        view = self._parts.health.view()
        body = json.dumps(msgspec.to_builtins(view)).encode() + b"\n"
        return Page(503 if view.colour is Colour.RED else 200, body, _JSON)

    async def _live(self) -> Page:
        dead = [one.text for one in self._parts.health.view().reasons if one.code == ONLY_A_RESTART_HELPS]
        return Page(503, f"{dead[0]}\n".encode()) if dead else Page(200, b"ok\n")

    async def _ready(self) -> Page:
        if not self._parts.census.scans:
            return Page(503, b"the first scan is not done\n")
        return Page(200, b"ok\n")
