"""The agent's own figures as events among the others, where `monitoring.self_events` asks for them.

One event for the agent and one a source, log.source `shipper.self`. They go
straight to the endpoint, are never sent twice and never waited for: what
cannot be sent now is not worth sending later, the next ones hold more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from shipper.config.rules import INGEST_ORIGIN
from shipper.core.timestamps import utc_text
from shipper.errors import EndpointUnreachable
from shipper.pipeline.attempts import Attempts, Output
from shipper.pipeline.health import Colour
from shipper.pipeline.status import SourceStatus, Status

SOURCE: Final = "shipper.self"
_SEVERITIES: Final = {Colour.GREEN: "info", Colour.YELLOW: "warn", Colour.RED: "error"}
_COUNTS: Final = ("read", "acked", "bytes_read", "refused_unnamed", "lost_bytes", "unparsed", "restamped")

SelfEvent = dict[str, str | int | float]


class SelfEvents:
    """Sends them at regular instants."""

    def __init__(
        self, look: Callable[[], Awaitable[Status]], output: Output, attempts: Attempts, attributes: Mapping[str, str]
    ) -> None:
        """*attributes* are those of every event, `host.name` among them; *attempts* says whether the endpoint is up."""
        self._look = look
        self._output = output
        self._attempts = attempts
        self._attributes = {"dt.ingest.origin": INGEST_ORIGIN, **attributes}

    async def run(self, seconds: float) -> None:
        """Send one round every *seconds*; runs until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.send()

    async def send(self) -> bool:
        """Send one round; return whether it was sent at all: not while the endpoint fails."""
        if not self._attempts.may_start:
            return False
        events = events_of(await self._look(), self._attributes)
        try:
            await self._output.post([msgspec.json.encode(events)])
        except EndpointUnreachable:
            return False
        return True


def events_of(status: Status, attributes: Mapping[str, str]) -> list[SelfEvent]:
    """Return what *status* says, an event for the agent and one for each source."""
    base: SelfEvent = {"timestamp": utc_text(status.at_ms), "log.source": SOURCE, **attributes}
    totals, backlog, colour = status.totals, status.backlog, status.health.colour
    whole: SelfEvent = {
        **base,
        "content": f"shipper is {colour.value}: {totals.acked:,} of {totals.read:,} records acknowledged "
        f"since the start, {backlog.lag_bytes:,} bytes behind, endpoint {status.endpoint.state}"
        + "".join(f"; {reason.text}" for reason in status.health.reasons[:3]),
        "severity": _SEVERITIES[colour],
        "shipper.health": colour.value,
        "shipper.endpoint": status.endpoint.state,
        "shipper.files": totals.files,
        "shipper.records_read": totals.read,
        "shipper.records_acked": totals.acked,
        "shipper.records_filtered": sum(totals.filtered.values()),
        "shipper.records_dead_lettered": sum(totals.dead_lettered.values()),
        "shipper.lag_bytes": backlog.lag_bytes,
        "shipper.pending_records": backlog.pending_records,
        "shipper.dead_letters": status.dead_letters.count,
        **_lag(backlog.lag_seconds),
    }
    return [whole, *(_of_source(source, base) for source in status.sources)]


def _of_source(source: SourceStatus, base: SelfEvent) -> SelfEvent:
    counts = source.counts
    return {
        **base,
        "content": f"source {source.name}: {counts.get('acked', 0):,} of {counts.get('read', 0):,} records "
        f"acknowledged since the start, {source.lag_bytes:,} bytes behind, files: {source.files_followed}",
        "severity": "warn" if source.problems else "info",
        "shipper.source": source.name,
        "shipper.files": source.files_followed,
        "shipper.lag_bytes": source.lag_bytes,
        **_lag(source.lag_seconds),
        **{f"shipper.{name}": counts.get(name, 0) for name in _COUNTS},
    }


def _lag(seconds: float | None) -> SelfEvent:
    return {} if seconds is None else {"shipper.lag_seconds": round(seconds, 3)}
