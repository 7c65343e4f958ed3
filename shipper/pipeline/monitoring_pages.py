"""The agent over HTTP: /metrics, /health, /livez and /readyz.

A port that is taken keeps no log from being delivered: it is said, and tried
again until it can be had.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

import msgspec

from shipper.adapters.health_server import CannotListen, HealthServer, Page
from shipper.pipeline.assembly import Parts
from shipper.pipeline.health import Colour
from shipper.pipeline.journal import Journal
from shipper.pipeline.metrics import Metrics
from shipper.pipeline.survey import Survey

RETRY_SECONDS: Final = 10.0
ONLY_A_RESTART_HELPS: Final = "loop_silent"  # the one reason that a probe of life should hear
_JSON: Final = "application/json"


class MonitoringPages:
    """Owns the port."""

    def __init__(self, parts: Parts, survey: Survey, journal: Journal) -> None:
        """Look at *parts*; nothing is served yet."""
        self._settings = parts.config.monitoring
        self._parts = parts
        self._survey = survey
        self._journal = journal
        self._metrics = Metrics(parts.conversion.append_to_ack, parts.sender.attempts.seconds)
        pages = {"/metrics": self._metrics_page, "/health": self._health, "/livez": self._live, "/readyz": self._ready}
        self._server = HealthServer(self._settings.host, self._settings.port, pages)

    async def stop(self) -> None:
        """Close the port."""
        await self._server.stop()

    async def serve(self) -> None:
        """Answer until cancelled, or until a page fails, which is raised."""
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
