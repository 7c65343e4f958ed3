"""A pattern that runs away is stopped, its record ships unparsed, and a mask that runs away lets nothing out."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import msgspec
import pytest

from shipper.core.converter import compile_rule
from shipper.core.event import MatchTimeout
from shipper.core.model import Carry, Chunk, Encoded, FileFacts, FileKey
from shipper.core.rule import MaskRule, RecordFormat, Rule
from shipper.pipeline.guard import MatchGuard

RUNAWAY = r"(?P<word>(\w+)+) end"
EVIL = "a" * 40 + "!"
FACTS = FileFacts(FileKey(1, 0), "/log/a.log", "a.log", 0)


@pytest.fixture
def guard() -> Iterator[MatchGuard]:
    made = MatchGuard(chunk_seconds=0.05, record_seconds=0.01)
    yield made
    made.close()


def rule(**changes: object) -> Rule:
    base = Rule(source="app", layout="", format=RecordFormat.PATTERN, patterns=(RUNAWAY,))
    return msgspec.structs.replace(base, **changes)


def convert(guard: MatchGuard, rule: Rule, *lines: str) -> Encoded:
    data = "".join(line + "\n" for line in lines).encode()
    return guard.convert(compile_rule(rule), Chunk(0, len(data), data), FACTS, Carry(), 0)


def events(encoded: Encoded) -> list[dict[str, str]]:
    found: list[dict[str, str]] = msgspec.json.decode(b"[" + bytes(encoded.json) + b"]")
    return found


def test_a_runaway_pattern_costs_its_record_the_parsing_and_no_other(guard: MatchGuard) -> None:
    encoded = convert(guard, rule(), "good end", EVIL, "fine end")

    assert [event.get("word") for event in events(encoded)] == ["good", None, "fine"]
    assert events(encoded)[1]["log.unparsed"] == "timeout"
    assert encoded.pattern_timeouts == 1
    assert encoded.records == 3


def test_a_runaway_mask_sends_nothing_bare(guard: MatchGuard) -> None:
    masked = rule(patterns=(r"(?P<word>\w+)",), masks=(MaskRule(r"(?:\w+)+ end", "***"),))

    encoded = convert(guard, masked, "good end", EVIL, "fine end")

    assert [event["content"] for event in events(encoded)] == ["***", "***"]
    assert [(refused.span.start, refused.reason, refused.event) for refused in encoded.refused] == [
        (9, "mask_failed", None)
    ]


def test_a_good_chunk_is_never_interrupted(guard: MatchGuard) -> None:
    encoded = convert(guard, rule(), *["good end"] * 200)

    assert encoded.pattern_timeouts == 0
    assert len(events(encoded)) == 200


def test_the_timer_says_nothing_outside_a_conversion(guard: MatchGuard) -> None:
    convert(guard, rule(), "good end")

    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    signal.raise_signal(signal.SIGVTALRM)


def test_a_block_under_the_record_budget_is_stopped(guard: MatchGuard) -> None:
    started = time.process_time()

    def run_on() -> None:
        with guard.record_budget():
            while True:
                time.process_time()

    with pytest.raises(MatchTimeout):
        run_on()

    assert time.process_time() - started < 5


def test_the_signal_is_given_back() -> None:
    before = signal.getsignal(signal.SIGVTALRM)

    MatchGuard().close()

    assert signal.getsignal(signal.SIGVTALRM) is before


def test_a_pattern_is_stopped_though_the_first_ring_was_swallowed(guard: MatchGuard) -> None:
    """As one is that hits a callback of the garbage collector: Python prints it and goes on."""
    swallowed: list[int] = []

    def swallow_the_first(number: int, frame: object) -> None:
        try:
            guard._expired(number, None)
        except MatchTimeout:
            if swallowed:
                raise
            swallowed.append(number)

    signal.signal(signal.SIGVTALRM, swallow_the_first)

    encoded = convert(guard, rule(), EVIL)

    assert (encoded.pattern_timeouts, len(swallowed)) == (1, 1)
