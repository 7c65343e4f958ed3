"""At every commit, each record that was read has a fate, and the rows tile the file up to its saved offset.

A followed file is driven as the tailer drives it, over random texts, orders of
settling, verdicts, closings, truncations and crashes; the store is a real one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.core.batch import Portion, Settlement
from shipper.core.identity import head_of
from shipper.core.ledger import is_balanced, total
from shipper.core.ledger_audit import audit
from shipper.core.model import Chunk, FileKey, Refused
from shipper.core.rule import MultilineRule, RecordFormat, Rule
from shipper.errors import StateError
from shipper.pipeline.accounts import account_for, figures
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.journal import Journal
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.verify import Verified, verify

T = TypeVar("T")
RULES = {
    "lines": Rule("s", "raw", RecordFormat.RAW, drop=("drop",)),
    "records": Rule("s", "raw", RecordFormat.RAW, drop=("drop",), multiline=MultilineRule(start=r"\d")),
}
LINES = ["1 one\n", "2 two two\n", "  more\n", "3 drop this\n", "\n", "4 a line without its e", "nd\n", "\0\0\0\0"]
FATES = ["acked", "acked", "acked", "dead", "unnamed", "too_old"]


class Direct:
    """The offset thread's face on a store of this very thread."""

    def __init__(self, store: OffsetStore) -> None:
        self.store = store
        self.full = False

    async def run(self, call: Callable[[OffsetStore], T]) -> T:
        if self.full:
            raise StateError("disk full")
        return call(self.store)


class File:
    """One file on disk, followed by hand; *bytes* that were written and what is on its way."""

    def __init__(self, folder: Path, rule: Rule) -> None:
        self.folder = folder
        self.reading = SourceReading(rule)
        self.path = folder / "app.log"
        self.path.write_bytes(b"")
        self.generation = 0
        self.now = 1_000
        self.open()
        self.start(self.fresh())

    def open(self) -> None:
        self.store = OffsetStore.open(self.folder / "state", now_ms=self.now)
        self.thread = Direct(self.store)
        self.committer = Committer(self.thread, Journal(lambda _: None), lambda: self.now)  # type: ignore[arg-type]

    def fresh(self) -> Life:
        status = self.path.stat()
        return Life(
            file_id=1, generation=self.generation, source="s", path=str(self.path), device=status.st_dev,
            inode=status.st_ino,
        )  # fmt: skip

    def start(self, life: Life) -> None:
        self.followed = Followed(life, self.reading, {}, lineage=1)
        self.on_way: list[Portion] = []
        self.read_records = self.settled_records = 0

    def write(self, text: str) -> None:
        with self.path.open("ab") as file:
            file.write(text.encode())

    def read(self) -> None:
        content = self.path.read_bytes()
        data = content[self.followed.read_offset :]
        if data:
            self.followed.head = head_of(content)
            self.convert(self.followed.feed(data))

    def close_quiet(self) -> None:
        self.convert(self.followed.close_record())

    def convert(self, chunks: list[Chunk]) -> None:
        followed = self.followed
        for chunk in chunks:
            assert followed.converter is not None
            carry, facts = followed.carry, followed.facts()
            encoded = followed.converter.convert(chunk, facts, carry, self.now)
            ticket = followed.track(chunk, encoded)
            ticket.counts = figures(encoded)
            self.read_records += ticket.counts.get("read", 0)
            portion = Portion(followed.key, 1, chunk, facts, carry, encoded, followed.converter, self.now, ticket)
            if encoded.events:
                portion.batch = self.now
                self.on_way.append(portion)
            else:
                self.settle(portion, Settlement())

    def settle_one(self, which: int, fate: str) -> None:
        if not self.on_way:
            return
        portion = self.on_way.pop(which % len(self.on_way))
        settlement = Settlement(status=204)
        if portion.encoded.records and fate == "dead":
            settlement.refused = [Refused((portion.chunk.start, portion.chunk.end), "rejected", "", None)]  # type: ignore[arg-type]
        elif portion.encoded.records and fate == "unnamed":
            settlement = Settlement(refused_unnamed=1, status=200)
        elif portion.encoded.records and fate == "too_old":
            settlement.filtered = {"too_old": 1}
        self.settle(portion, settlement)

    def settle(self, portion: Portion, settlement: Settlement) -> None:
        ticket = portion.token
        account_for(ticket, portion, settlement, self.now)  # type: ignore[arg-type]
        account = ticket.accounts[-1]  # type: ignore[attr-defined]
        assert account.balance == 0
        self.settled_records += account.read
        self.followed.watermark.ack(ticket)  # type: ignore[arg-type]
        self.committer.changed(self.followed)

    def save(self, *, full: bool = False) -> None:
        self.thread.full = full
        asyncio.run(self.committer.save())
        self.thread.full = False

    def crash(self) -> None:
        self.store.close()
        self.open()
        rows = {life.key: life for life in self.store.load()}
        self.start(rows.get(FileKey(1, self.generation), self.fresh()))

    def truncate(self) -> None:
        """Begin a new generation; what was on its way of the old one is settled, its unread rest is lost."""
        while self.on_way:
            self.settle_one(0, "acked")
        self.save()
        self.path.unlink()
        self.path.write_bytes(b"")
        self.generation += 1
        self.start(self.fresh())


actions = st.one_of(
    st.tuples(st.just("write"), st.lists(st.sampled_from(LINES), min_size=1, max_size=12)),
    st.tuples(st.just("settle"), st.integers(0, 20), st.sampled_from(FATES)),
    st.tuples(st.sampled_from(["read", "read", "save", "save", "full", "close", "crash", "truncate", "wait"])),
)


QUIET_IN_A_RECORD: list[tuple[object, ...]] = [
    ("write", LINES[:1]), ("read",), ("close",), ("settle", 0, "acked"),
    ("write", LINES[2:3]), ("read",), ("close",), ("settle", 0, "acked"), ("save",),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@settings(max_examples=40)
@given(steps=st.lists(actions, max_size=40))
@example(steps=QUIET_IN_A_RECORD)
def test_the_ledger_balances_at_every_commit(rule: Rule, steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = File(Path(name), rule)
        for step in steps:
            act(file, step)
            check(file)
        file.crash()
        for action in ("read", "close", "settle", "save"):
            act(file, (action, 0, "acked"))
        while file.on_way:
            file.settle_one(0, "acked")
        file.save()
        check(file)
        file.store.close()
        assert [one.disagreements for one in recount(file) if one.id.startswith("1.")] == [
            [] for _ in {life.generation for life, _ in Snapshot.open(file.folder / "state").lives()}
        ]


def act(file: File, step: tuple[object, ...]) -> None:
    file.now += 10
    match step:
        case ("write", lines):
            file.write("".join(lines))  # type: ignore[arg-type]
        case ("settle", which, fate):
            file.settle_one(which, fate)  # type: ignore[arg-type]
        case ("read", *_):
            file.read()
        case ("save", *_):
            file.save()
        case ("full", *_):
            with suppress(StateError):
                file.save(full=True)
        case ("close", *_):
            file.close_quiet()
        case ("crash", *_):
            file.crash()
        case ("truncate", *_):
            file.truncate()
        case ("wait", *_):
            file.now += 20_000


def check(file: File) -> None:
    pending = sum(figures(portion.encoded)["read"] for portion in file.on_way)
    assert file.read_records == file.settled_records + pending
    for life in file.store.load():
        spans = file.store.spans(life.key)
        assert audit(spans, life.offset) == []
        assert is_balanced(total(spans))
        assert is_balanced(life.counters)
        assert of_records(total(spans)) == of_records(life.counters)


def of_records(figures: dict[str, int]) -> dict[str, int]:
    fates = ("read", "acked", "refused_unnamed")
    return {name: n for name, n in figures.items() if n and (name in fates or name.startswith(("filtered", "dead")))}


def recount(file: File) -> list[Verified]:
    with closing(MatchGuard()) as guard:
        return list(verify(Snapshot.open(file.folder / "state"), {"s": file.reading}, guard, lambda _: True))
