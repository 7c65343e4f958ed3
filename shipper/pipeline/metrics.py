"""The agent's figures for Prometheus, made from a look at it when it is scraped: the pipeline pays nothing for them.

Labels are names of sources, reasons, states and statuses, never of files:
their number is known from agent.yaml. Counters begin at zero with each start.
Each family is described in docs/operate.md, and a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from shipper.adapters.offsets import LifeState
from shipper.pipeline.forecast import Forecast
from shipper.pipeline.health import Colour
from shipper.pipeline.status import SourceStatus, Status
from shipper.pipeline.timings import Timings

_PREFIX: Final = "shipper_"
_ENDPOINT_STATES: Final = ("unknown", "answering", "refusing", "unreachable")

_FORECAST_KINDS: Final = ("deletion", "window")
_FORECASTS: Final[tuple[tuple[str, str, Callable[[Forecast], int]], ...]] = (
    ("forecast_warnings", "Losses that are to be expected if things go on so.", lambda _: 1),
    (
        "forecast_bytes",
        "Bytes that will be lost, or too old, if things go on so.",
        lambda one: one.unread_bytes,
    ),
)
_COUNTS: Final = {
    "bytes_read": ("read_bytes", "Bytes read from files."),
    "read": ("read_records", "Records read; those left out on purpose too."),
    "acked": ("acked_records", "Records that the endpoint has acknowledged."),
    "refused_unnamed": ("refused_unnamed_records", "Records refused by the endpoint, which did not say which."),
    "lost_bytes": ("lost_bytes", "Bytes that vanished before they could be read."),
    "unparsed": ("unparsed_records", "Records shipped without a rule that fits."),
    "restamped": ("restamped_records", "Records older than the endpoint takes, sent with a new time stamp."),
    "trimmed": ("trimmed_records", "Records with attributes over the endpoint's limits, cut off and named."),
    "parts": ("record_parts", "Events beyond the first of a record that was too long for one."),
    "bad_bytes": ("undecodable_bytes", "Bytes that are no text in the file's encoding, kept as escapes."),
    "nul_bytes": ("nul_bytes", "NUL bytes of holes, left out."),
    "pattern_timeouts": ("pattern_timeouts", "Records whose pattern ran out of time; they are shipped unparsed."),
}
# The reasons that are known are there from the start, at zero: a rule on the increase misses what begins at one.
_REASONS: Final = {
    "filtered_": ("filtered_records", "Records left out on purpose.", ("drop", "keep", "too_old")),
    "dead_": (
        "dead_lettered_records", "Records kept among the dead letters.",
        ("rejected", "too_large", "too_old", "mask_failed"),
    ),
}  # fmt: skip


class Metrics(Collector):
    """Owns the registry; a page is of one look."""

    def __init__(self, append_to_ack: Timings, answers: Timings) -> None:
        """The two timings go on being filled by their owners."""
        self._append_to_ack = append_to_ack
        self._answers = answers
        self._status: Status | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def page(self, status: Status) -> tuple[bytes, str]:
        """Return the exposition of *status*, and its content type."""
        self._status = status
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        status = self._status
        if status is None:
            return
        yield from _of_agent(status)
        yield from _of_sources(status.sources)
        yield from _of_endpoint(status)
        yield from _of_backlog(status)
        yield _histogram(
            "append_to_ack_seconds",
            "From a line's writing (the file's last change, as the read saw it) to its acknowledgement, "
            "of lines that were read as they were written.",
            self._append_to_ack,
        )
        yield _histogram("endpoint_answer_seconds", "From a request to its answer, whatever it was.", self._answers)


def _of_agent(status: Status) -> Iterator[Metric]:
    build = GaugeMetricFamily(_PREFIX + "build_info", "The version that runs.", labels=["version"])
    build.add_metric([status.version], 1)
    yield build
    yield _gauge("start_time_seconds", "When the agent started, since 1970.", status.started_ms / 1000)
    yield _gauge("ready", "Whether the first scan is done.", status.ready)
    colours = {colour.value: float(status.health.colour is colour) for colour in Colour}
    yield _gauges("health", "The colour that the agent's health has.", ["colour"], _one_label(colours))
    reasons = dict.fromkeys(((r.code, r.source or "", r.colour.value) for r in status.health.reasons), 1.0)
    yield _gauges(
        "health_reason", "Why the agent is not green; one for each kind of trouble, and source where it is of one.",
        ["code", "source", "colour"], reasons.items(),
    )  # fmt: skip
    yield _counter("scans", "Looks at every directory.", status.scans)
    yield _counter("offset_saves", "Transactions of the offset store.", status.saves)
    yield _gauge("offset_saving_failed", "Whether offsets cannot be saved just now.", status.saving_problem is not None)
    yield _counter("watcher_restarts", "How often the watcher was dead or silent.", status.watcher_restarts)
    yield _gauge("polled_directories", "Directories that have no change events.", status.directories_polled)
    yield _gauge("skipped_files", "Files that match and are not read.", sum(status.skipped.values()))
    for name, text, figure in _FORECASTS:
        sums = dict.fromkeys(_FORECAST_KINDS, 0)
        for forecast in status.forecasts:
            sums[forecast.kind] = sums.get(forecast.kind, 0) + figure(forecast)
        yield _gauges(name, text, ["kind"], _one_label(sums))
    yield _gauge("spill_bytes", "Taken by unread bytes of files that are gone.", status.spill_bytes)
    yield _gauge("spill_limit_bytes", "Room for them.", status.spill_limit_bytes)
    yield _gauge("dead_letters", "Refused events on disk.", status.dead_letters.count)
    yield _gauge("dead_letter_bytes", "Their size on disk.", status.dead_letters.bytes)
    yield _gauge("dead_letter_limit_bytes", "Room for them.", status.dead_letters.max_bytes)


def _of_sources(sources: list[SourceStatus]) -> Iterator[Metric]:
    for name, (family, text) in _COUNTS.items():
        yield _counters(family, text, ["source"], (((s.name,), s.counts.get(name, 0)) for s in sources))
    for prefix, (family, text, known) in _REASONS.items():
        yield _counters(family, text, ["source", "reason"], _by_reason(sources, prefix, known))
    files = (((s.name, state.value), s.files.get(state.value, 0)) for s in sources for state in LifeState)
    yield _gauges("files", "Followed files, by state.", ["source", "state"], files)
    problems = (((s.name,), s.problems) for s in sources)
    yield _gauges("unreadable_files", "Files that cannot be read just now.", ["source"], problems)
    unread = (((s.name,), s.unread_bytes) for s in sources)
    yield _gauges("unread_bytes", "Bytes known to be there and not read.", ["source"], unread)
    lag = (((s.name,), s.lag_bytes) for s in sources)
    yield _gauges("lag_bytes", "Bytes known to be there and not acknowledged.", ["source"], lag)
    seconds = (((s.name,), s.lag_seconds) for s in sources if s.lag_seconds is not None)
    yield _gauges(
        "lag_seconds", "Age of the newest acknowledged record while there is more, of the file furthest behind.",
        ["source"], seconds,
    )  # fmt: skip
    newest = (((s.name,), s.newest_ms / 1000) for s in sources if s.newest_ms is not None)
    yield _gauges("newest_record_timestamp_seconds", "The newest time stamp that was read.", ["source"], newest)


def _of_endpoint(status: Status) -> Iterator[Metric]:
    endpoint = status.endpoint
    states = {state: float(state == endpoint.state) for state in _ENDPOINT_STATES}
    yield _gauges("endpoint_state", "How the endpoint does.", ["state"], _one_label(states))
    since = endpoint.since_ms / 1000
    yield _gauge("endpoint_state_timestamp_seconds", "Since when it has done so; 0 before the first answer.", since)
    answers = (((answer.status,), answer.count) for answer in endpoint.answers)
    yield _counters("requests", "Requests, by the status of their answer.", ["status"], answers)


def _of_backlog(status: Status) -> Iterator[Metric]:
    backlog = status.backlog
    yield _gauge("pending_records", "Records read and not settled.", backlog.pending_records)
    yield _gauge("held_bytes", "Memory taken by what is on its way.", backlog.held_bytes)
    yield _gauge("held_limit_bytes", "Reading stops when so much is held.", backlog.budget_bytes)


# -- families ------------------------------------------------------------------------------------------

_Samples = Iterable[tuple[tuple[str, ...], float]]


def _one_label(values: Mapping[str, float]) -> _Samples:
    return (((label,), value) for label, value in values.items())


def _by_reason(sources: list[SourceStatus], prefix: str, known: Sequence[str]) -> _Samples:
    for source in sources:
        counts = {n.removeprefix(prefix): count for n, count in source.counts.items() if n.startswith(prefix)}
        for reason, count in sorted((dict.fromkeys(known, 0) | counts).items()):
            yield (source.name, reason), count


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauges(name: str, text: str, labels: list[str], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for values, sample in samples:
        family.add_metric(values, sample)
    return family


def _counters(name: str, text: str, labels: list[str], samples: _Samples) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=labels)
    for values, sample in samples:
        family.add_metric(values, sample)
    return family


def _histogram(name: str, text: str, timings: Timings) -> Metric:
    buckets = [("+Inf" if bound == inf else str(bound), float(count)) for bound, count in timings.cumulative()]
    return HistogramMetricFamily(_PREFIX + name, text, buckets=buckets, sum_value=timings.sum_seconds)
