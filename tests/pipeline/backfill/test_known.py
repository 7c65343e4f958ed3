"""A file is known again by what its text says, whatever its name, its inode and how it is packed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.texts import Place, open_text, stat_of
from shipper.core.identity import guard_of, head_of
from shipper.core.ledger import SKIPPED, Entry, without_delivery
from shipper.core.model import FileKey, Span
from shipper.pipeline.backfill.known import AgentFile, Known
from tests.pipeline.backfill.scene import log

TEXT = log(400)
HALF = len(log(200))


def row(offset: int, *, guard: bool = True, head: bytes = TEXT, state: LifeState = LifeState.FOLLOWING) -> Life:
    """Return the agent's row of a file with TEXT that it has read up to *offset*; of another inode."""
    first, before = head_of(head), guard_of(TEXT[:offset])
    return Life(
        file_id=7, generation=0, source="app", path="/gone/app.log", device=1, inode=2, head_length=first.length,
        head_digest=first.digest, guard_length=before.length if guard else 0,
        guard_digest=before.digest if guard else b"", offset=offset, state=state,
    )  # fmt: skip


def spans(*borders: int) -> list[Entry]:
    """Return ledger entries between *borders*, with the digests of TEXT."""
    return [Entry(start, end, zlib.crc32(TEXT[:start]), zlib.crc32(TEXT[:end])) for start, end in pairwise(borders)]


def found(
    folder: Path, life: Life, closed: bool, entries: Sequence[Entry] = (), text: bytes = TEXT
) -> AgentFile | None:
    """Return what the agent has of a compressed file with *text*."""
    path = folder / "app.log.3.gz"
    path.write_bytes(gzip.compress(text))
    asked: list[FileKey] = []

    def ledger(key: FileKey) -> Sequence[Entry]:
        asked.append(key)
        return entries

    opened = open_text(Place(str(path)))
    try:
        return Known([], [(life, closed)], ledger).agents(opened, stat_of(str(path)))
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("state", "closed", "goes_on"),
    [
        pytest.param(LifeState.FOLLOWING, False, True, id="followed"),
        pytest.param(LifeState.DRAINING, False, True, id="rotated"),
        pytest.param(LifeState.DONE, False, False, id="done"),
        pytest.param(LifeState.ORPHAN, False, False, id="lost_sight_of"),
    ],
)
def test_by_head_and_guard_and_the_rest_is_the_agents_as_long_as_it_reads_on(
    tmp_path: Path, state: LifeState, closed: bool, goes_on: bool
) -> None:
    agent = found(tmp_path, row(HALF, state=state), closed)

    assert agent is not None
    assert agent.spans == [Span(0, HALF)]
    assert agent.goes_on == goes_on


def test_a_file_that_was_let_go_has_no_guard_and_is_known_by_the_digests_of_its_ledger(tmp_path: Path) -> None:
    life = row(HALF, guard=False, state=LifeState.DONE)

    agent = found(tmp_path, life, True, spans(0, 5000, HALF))
    other = found(tmp_path, life, True, spans(0, 5000, HALF), TEXT[:5000] + b"X" + TEXT[5001:])

    assert agent is not None
    assert not agent.goes_on
    assert agent.spans == [Span(0, HALF)]
    assert other is None


def test_what_the_agent_has_passed_over_is_not_delivered(tmp_path: Path) -> None:
    entries = [without_delivery(0, 5000, SKIPPED, 0), *spans(5000, HALF)]

    agent = found(tmp_path, row(HALF), False, entries)

    assert agent is not None
    assert agent.spans == [Span(5000, HALF)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(log(400, begin=1), id="another_head"),
        pytest.param(TEXT[: HALF - 100] + log(200, begin=900), id="another_text_before_the_offset"),
        pytest.param(TEXT[: HALF - 1], id="shorter"),
    ],
)
def test_another_file_is_not_taken_for_it(tmp_path: Path, text: bytes) -> None:
    assert found(tmp_path, row(HALF), False, text=text) is None
