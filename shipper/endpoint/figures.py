"""What the endpoint counts of itself since it started: for `/v1/stats` and `/metrics`.

Plain numbers, owned by the server's loop; Prometheus asks for them when it
scrapes. Names end in their unit; no label is ever a client's text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

_PREFIX: Final = "shipper_endpoint_"
_LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

Numbers = Mapping[str, object]


class Figures(Collector):
    """Counts since *since_ms*.

    Attributes:
        requests: Ingest requests by status.
        events, body_bytes: Accepted: made durable and answered 2xx; bytes of the uncompressed bodies.
        rejected: Events refused, by reason; where a whole body could not be read it counts as one.
        refused: Requests turned away before their route, by reason.
        ingest_seconds: From the complete head to the answer.
    """

    def __init__(self, since_ms: int) -> None:
        """Nothing is counted yet."""
        self.since_ms = since_ms
        self.requests: Counter[int] = Counter()
        self.events = 0
        self.body_bytes = 0
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._gauges: list[tuple[str, Callable[[], Numbers]]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self.ingest_seconds = Histogram(
            _PREFIX + "ingest_seconds", "From the complete head of an ingest request to its answer.",
            buckets=_LATENCY_SECONDS, registry=self._registry,
        )  # fmt: skip
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def watch(self, name: str, numbers: Callable[[], Numbers]) -> None:
        """Show every number of *numbers* as a gauge called after *name*, read at each scrape."""
        self._gauges.append((name, numbers))

    def exposition(self) -> tuple[bytes, str]:
        """Return the page for Prometheus, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted now."""
        yield _labelled("requests", "Ingest requests.", "status", {str(k): v for k, v in self.requests.items()})
        yield _labelled("rejected_events", "Events refused.", "reason", self.rejected)
        yield _labelled("refused_requests", "Requests turned away before their route.", "reason", self.refused)
        yield CounterMetricFamily(_PREFIX + "accepted_events", "Events made durable.", value=self.events)
        yield CounterMetricFamily(_PREFIX + "accepted_bytes", "Bytes of accepted bodies.", value=self.body_bytes)
        for name, numbers in self._gauges:
            for key, value in numbers().items():
                if isinstance(value, (int, float)):
                    text = f"The {name}'s {key.replace('_', ' ')}."
                    yield GaugeMetricFamily(f"{_PREFIX}{name}_{key}", text, value=value)


def _labelled(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family
