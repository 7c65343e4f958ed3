"""A text in two files gives the records of the text in one, wherever between two lines it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.framing import Framer
from shipper.core.lineage_join import can_go_on, join
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.reference import ReferenceReader
from shipper.core.rule import MultilineRule, RecordFormat, Rule

NOW_MS = 1_795_464_000_000
FACTS = FileFacts(FileKey(1, 0), "/var/log/a.log", "a.log", NOW_MS)
MULTI = Rule("shop", "raw", RecordFormat.RAW, multiline=MultilineRule(start="S"))
CONTINUES = Rule("shop", "raw", RecordFormat.RAW, multiline=MultilineRule(continue_=r"\s"))
CRI = Rule("shop", "cri", RecordFormat.CRI)
PLAIN = Rule("shop", "raw", RecordFormat.RAW)
PART = "2026-11-23T19:59:58Z {} {} {}"


def contents(rule: Rule, chunks: list[Chunk], carry: Carry) -> tuple[list[str], Carry]:
    """Return the contents that *chunks* are read as."""
    reader = ReferenceReader(rule)
    found: list[str] = []
    for chunk in chunks:
        reading = reader.read(chunk, FACTS, carry, NOW_MS)
        found += [str(produced.event["content"]) for produced in reading.produced]
        carry = reading.carry
    return found, carry


def in_one(rule: Rule, text: bytes) -> list[str]:
    framer = Framer(rule, 0, Carry())
    return contents(rule, framer.feed(text) + framer.close(), Carry())[0]


def in_two(rule: Rule, old: bytes, new: bytes) -> list[str]:
    framer = Framer(rule, 0, Carry())
    found, carry = contents(rule, framer.feed(old), Carry())
    lead = 0
    if framer.open_bytes and can_go_on(rule, carry, framer.held):
        joined = join(rule, carry, framer.held, new, final=True)
        assert joined is not None
        lead = joined.lead
        if lead:
            assert joined.chunk.data == framer.held.data + new[:lead]
            found += contents(rule, [joined.chunk], carry)[0]
    if not lead:
        found += contents(rule, framer.close(), carry)[0]
    framer = Framer(rule, lead, Carry())
    return found + contents(rule, framer.feed(new[lead:]) + framer.close(), Carry())[0]


LINES = {
    "start": (MULTI, st.sampled_from(["S one", "S", "  at x", "more", "S \u00e9"])),
    "continue": (CONTINUES, st.sampled_from(["one", "\tat x", " more", "two"])),
    "cri": (CRI, st.builds(PART.format, st.just("stdout"), st.sampled_from("PFPF"), st.sampled_from(["a", "b c"]))),
    "plain": (PLAIN, st.sampled_from(["one", "two"])),
}


@pytest.mark.parametrize("kind", LINES)
@given(data=st.data())
def test_a_cut_between_two_lines_is_not_seen_in_the_records(kind: str, data: st.DataObject) -> None:
    rule, lines = LINES[kind]
    old = data.draw(st.lists(lines, min_size=1, max_size=8))
    new = data.draw(st.lists(lines, min_size=1, max_size=8))
    first, second = (("\n".join(part) + "\n").encode() for part in (old, new))

    assert in_two(rule, first, second) == in_one(rule, first + second)


def held(data: bytes) -> Chunk:
    return Chunk(100, 100 + len(data), data)


@pytest.mark.parametrize(
    ("begin", "final", "lead"),
    [
        pytest.param(b"S next\n", False, 0, id="a_record_of_its_own"),
        pytest.param(b"  at three\nS next\n", False, 11, id="one_line"),
        pytest.param(b"  at three\n" * 500 + b"S next\nS more\n", False, 5500, id="many_lines"),
        pytest.param(b"  at three\n", False, None, id="its_end_is_not_there_yet"),
        pytest.param(b"  at three\n  at fo", True, 11, id="nothing_more_is_to_come"),
        pytest.param(b"", False, None, id="an_empty_file"),
        pytest.param(b"", True, 0, id="an_empty_file_that_stays_so"),
        pytest.param(b"\xef\xbb\xbf  at three\nS next\n", False, 0, id="a_byte_order_mark"),
        pytest.param(b"\0\0\0  at three\nS next\n", False, 0, id="a_hole"),
    ],
)
def test_what_goes_on_is_told_by_the_rule(begin: bytes, final: bool, lead: int | None) -> None:
    joined = join(MULTI, Carry(encoding="utf-8"), held(b"S cut\n  at one\n"), begin, final=final)

    assert (joined.lead if joined is not None else None) == lead


@pytest.mark.parametrize(
    ("rule", "data", "expected"),
    [
        (MULTI, b"S cut\n", True),
        (MULTI, b"S half a li", False),
        (PLAIN, b"half a li", False),
        (CRI, b"2026-11-23T19:59:58Z stdout P a\n", True),
    ],
)
def test_only_whole_lines_of_a_record_of_several_go_on(rule: Rule, data: bytes, expected: bool) -> None:
    assert can_go_on(rule, Carry(), held(data)) is expected


def test_a_record_that_passes_its_limit_is_not_joined_beyond_it() -> None:
    rule = Rule("shop", "raw", RecordFormat.RAW, multiline=MultilineRule(start="S", max_lines=3))

    joined = join(
        rule, Carry(encoding="utf-8"), held(b"S cut\n  at one\n"), b"  two\n  three\n  four\nS\n", final=False
    )

    assert joined is not None
    assert joined.lead in (0, 6)
