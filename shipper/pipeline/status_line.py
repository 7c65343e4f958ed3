"""One line that says how the agent does, for `systemctl status`."""

from __future__ import annotations

from typing import NamedTuple

from shipper.pipeline.assembly import Parts
from shipper.pipeline.health import Colour, HealthView
from shipper.pipeline.lag import lag_bytes_of
from shipper.pipeline.progress import size


class Figures(NamedTuple):
    """What the line is made of, at one instant.

    Attributes:
        at: Monotonic seconds.
        records: Read since the start.
    """

    at: float
    files: int
    records: int
    lag_bytes: int
    endpoint: str
    health: HealthView


class StatusLine:
    """Remembers the figures before, for the rate; owned by the agent."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._before: Figures | None = None

    def text(self, now: Figures) -> str:
        """Return the line for *now*; the rate is since the call before."""
        before, self._before = self._before, now
        rate = 0.0 if before is None or now.at <= before.at else (now.records - before.records) / (now.at - before.at)
        parts = [f"{now.files:,} {'file' if now.files == 1 else 'files'}", f"{rate:,.0f} lines/s"]
        parts.append(f"lag {size(now.lag_bytes)}")
        parts.append(f"endpoint {now.endpoint}")
        line = ", ".join(parts)
        if now.health.colour is Colour.GREEN:
            return line
        return f"{now.health.colour.upper()}: {now.health.reasons[0].text} ({line})"


def figures_of(parts: Parts, monotonic: float) -> Figures:
    """Return the figures of *parts* as they are now."""
    endpoint, tailer = parts.sender.health, parts.tailer
    waits = endpoint.state not in ("answering", "unknown") and endpoint.message
    state = f"{endpoint.state} ({endpoint.message})" if waits else endpoint.state
    files, records = len(tailer.followed), parts.conversion.counters["read"]
    lag_bytes = lag_bytes_of(tailer.followed.values())
    return Figures(monotonic, files, records, lag_bytes, state, parts.health.view())
