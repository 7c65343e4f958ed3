"""Every sample of every preset becomes what stands beside it, by the converter and by the reference reader."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pytest

from shipper.core.model import Event
from tests.formats.reading import presets, read, rule_of
from tests.formats.samples import Sample, names, samples_of

SENT_ANYWAY = {
    "content", "timestamp", "severity", "log.source", "log.file.path", "log.file.name", "host.name", "dt.ingest.origin",
    "log.timestamp_source", "log.raw_level",
}  # fmt: skip
EACH = [
    pytest.param(name, sample, id=f"{name}-{number}")
    for name in names()
    for number, sample in enumerate(samples_of(name), 1)
]
ISSUE_2 = (
    "nginx_access", "nginx_error", "apache_access", "apache_error", "syslog_rfc3164", "syslog_rfc5424", "log4j",
    "logback", "python_logging", "postgresql", "mysql_error", "redis", "klog", "journald_short", "java_util_logging",
)  # fmt: skip


def as_read(event: Event) -> tuple[str | None, str, Event]:
    stamp = None if "log.timestamp_source" in event else str(event["timestamp"])
    own = {name: value for name, value in event.items() if name not in SENT_ANYWAY}
    return stamp, str(event["severity"]), own


def as_written(sample: Sample) -> tuple[str | None, str, Mapping[str, object]]:
    return sample.timestamp, sample.severity, dict(sample.attributes)


def record_text(sample: Sample) -> str:
    """A sample's text without the directives above it, which are no records."""
    directives = ("#Fields", "#Software", "#Version", "#Date")
    return "\n".join(line for line in sample.text.split("\n") if not line.startswith(directives))


def groups(name: str) -> Iterator[list[Sample]]:
    """Yield the samples that can stand in one file: of one zone and one time."""
    for _, group in itertools.groupby(samples_of(name), key=lambda sample: (sample.timezone, sample.modified)):
        yield list(group)


@pytest.mark.parametrize(("name", "sample"), EACH)
def test_a_sample_becomes_what_stands_beside_it(name: str, sample: Sample) -> None:
    rule = rule_of(presets()[name], sample.timezone)

    result = read(rule, (sample.text + "\n").encode(), sample.modified)

    assert [as_read(event) for event in result.events] == [as_written(sample)]
    assert [event["content"] for event in result.events] == [record_text(sample)]
    assert result.unparsed == 0


@pytest.mark.parametrize("turns", ["forward", "backward", "twice"])
@pytest.mark.parametrize("name", names())
def test_the_order_of_the_records_changes_none_of_them(name: str, turns: str) -> None:
    for group in groups(name):
        samples = {"forward": group, "backward": group[::-1], "twice": group * 2}[turns]
        rule = rule_of(presets()[name], group[0].timezone)
        text = "\n".join(sample.text for sample in samples) + "\n"

        result = read(rule, text.encode(), group[0].modified)

        assert [event["content"] for event in result.events] == [record_text(sample) for sample in samples]
        assert [as_read(event) for event in result.events] == [as_written(sample) for sample in samples]


@pytest.mark.parametrize("name", names())
def test_every_preset_says_what_it_is_and_shows_two_records(name: str) -> None:
    preset = presets()[name]

    assert preset.name == name
    assert preset.description.strip() == preset.description != ""
    assert len(samples_of(name)) >= 2


def test_the_presets_that_were_promised_are_there() -> None:
    assert set(ISSUE_2) <= set(names())
    assert len(names()) >= 60
