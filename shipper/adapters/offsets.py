"""The offset store: one row for each life of each followed file, and its ledger, in SQLite under the state directory.

It owns ``offsets.db``, its good copy and the lock, and is owned by one thread
(`shipper.adapters.offsets_thread`). What an offset means, and when it is
safe, others decide. How the database is opened, and what happens to a damaged
one: offsets_opening.py.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.adapters import offsets_spans as ledger
from shipper.adapters.offsets_life import (
    ADD_DECISION,
    DECISION_COLUMNS,
    DECISIONS_OF,
    DROP_DECISIONS,
    DROP_OLD_DECISIONS,
    SELECT_AFTER,
    UPSERT,
    Decision,
    Life,
    LifeState,
    to_row,
)
from shipper.adapters.offsets_opening import (
    check_rows,
    keep_good_copy,
    open_or_recover,
    restore_copy,
    restore_lives,
    rows_of,
)
from shipper.core.ledger import Entry, cut_at, thinned, without_delivery
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import StateDamaged

__all__ = ["Decision", "LetterSink", "Life", "LifeState", "OffsetStore", "restore_copy", "restore_lives"]

DECISIONS_KEPT: Final = 20  # for each file
DECISIONS_KEPT_MS: Final = 7 * 86_400_000  # of files that are forgotten
_DECISIONS_HELD: Final = 10_000  # in memory, while commits fail; the oldest go first


class LetterSink(Protocol):
    """Where dead letters become durable."""

    def append(self, letters: Sequence[DeadLetter]) -> int:
        """Write what is not there yet; durable when it returns."""


class OffsetStore:
    """The rows; every call from the thread that opened it.

    Attributes:
        letters: Takes the dead letters of a commit before the commit; set by whoever opens both.
        recovered: What happened, where a damaged database was replaced by its good copy at `open`; else None.
    """

    def __init__(
        self, connection: sqlite3.Connection, lock: files.StateLock, state_dir: Path, recovered: str | None
    ) -> None:
        """Use `open` instead."""
        self.letters: LetterSink | None = None
        self.recovered = recovered
        self._connection = connection
        self._lock = lock
        self._path = state_dir / files.DATABASE
        self._pending = deque[Decision](maxlen=_DECISIONS_HELD)
        self._rules = ledger.Rules()
        self._next_file_id = schema.mark(connection, "next_file_id")

    @classmethod
    def open(
        cls,
        state_dir: Path,
        *,
        now_ms: int,
        migrations: Sequence[Sequence[str]] = schema.MIGRATIONS,
    ) -> OffsetStore:
        """Lock *state_dir*, making it where it is missing, and open a sound database of the newest version.

        Raises:
            StateLocked: Another process holds the directory.
            StateDamaged: The database failed its check, was set aside, and there is no good copy.
            StateError: The directory or the database cannot be used; nothing was touched.
        """
        lock = files.StateLock.take(state_dir)
        try:
            with files.map_os_errors(state_dir):
                connection, recovered = open_or_recover(state_dir, now_ms, migrations)
            store = cls(connection, lock, state_dir, recovered)
            with schema.map_errors(store._path), schema.transaction(connection):
                connection.execute(DROP_OLD_DECISIONS, (now_ms - DECISIONS_KEPT_MS,))
        except BaseException:
            lock.release()
            raise
        return store

    def load(self) -> list[Life]:
        """Return every row, by file and generation."""
        return list(rows_of(self._connection, self._path))

    def some(self, after: FileKey, most: int) -> list[Life]:
        """Return the first *most* rows behind *after*, by file and generation."""
        return list(rows_of(self._connection, self._path, SELECT_AFTER, (*after, most)))

    def next_file_id(self) -> int:
        """Return an id that no file ever had.

        It counts as given out once a row with it is committed; before that
        not a byte of the file may be sent.
        """
        self._next_file_id += 1
        return self._next_file_id - 1

    def commit(
        self,
        lives: Sequence[Life] = (),
        gone: Sequence[FileKey] = (),
        letters: Sequence[DeadLetter] = (),
        spans: ledger.Spans = (),
        now_ms: int = 0,
    ) -> None:
        """Write *lives* and *spans*, then remove *gone*, in one transaction that is durable on return.

        *letters* are durable before it. Of what is removed an account is kept, closed at *now_ms*.

        Raises:
            StateError: Nothing of it happened, but letters may be written: asked again, they are not twice.
        """
        if letters:
            if self.letters is None:
                raise ValueError("letters to commit, and nowhere to write them")
            self.letters.append(letters)
        connection = self._connection
        with schema.map_errors(self._path), self._transaction():
            connection.executemany(UPSERT, map(to_row, lives))
            ledger.write(connection, spans, self._rules)
            ledger.close(connection, gone, now_ms)
            connection.executemany("DELETE FROM lives WHERE file_id = ? AND generation = ?", gone)
            if lives:
                schema.raise_mark(connection, "next_file_id", 1 + max(life.file_id for life in lives))
            self._write_decisions()
        self._pending.clear()

    def decide(self, key: FileKey, what: str, evidence: str, now_ms: int) -> None:
        """Note what was made of a file; durable with the next commit, the last 20 a file are kept."""
        # It names files, whose names need not be text: SQLite would refuse the whole commit.
        evidence = evidence.encode("utf-8", "backslashreplace").decode()
        self._pending.append(
            Decision(file_id=key.file_id, generation=key.generation, what=what, evidence=evidence, at_ms=now_ms)
        )

    def decisions(self, file_id: int) -> list[Decision]:
        """Return what was made of a file, oldest first."""
        self.commit()
        with schema.map_errors(self._path):
            rows = self._connection.execute(DECISIONS_OF, (file_id,)).fetchall()
        return [msgspec.convert(dict(zip(DECISION_COLUMNS, row, strict=True)), Decision) for row in rows]

    # -- the ledger --------------------------------------------------------------------------------

    def spans(self, key: FileKey) -> list[Entry]:
        """Return the ledger of a generation, in file order."""
        with schema.map_errors(self._path):
            return ledger.spans_of(self._connection, key)

    def last_batch(self) -> int:
        """Return the highest number that a batch of the ledger has."""
        with schema.map_errors(self._path):
            return schema.mark(self._connection, "batch")

    def rewind(self, life: Life, before: int, why: str, now_ms: int) -> None:
        """Write *life*, whose offset was *before*, and let its ledger end there; *why* bytes were passed over, if any.

        Of spans beyond the offset nothing is kept: they are read once more.
        """
        entries = self.spans(life.key)
        if life.offset > before:
            entries.append(without_delivery(before, life.offset, why, now_ms))
        with schema.map_errors(self._path), self._transaction():
            self._connection.execute(UPSERT, to_row(life))
            ledger.replace(self._connection, life.key, cut_at(entries, life.offset), self._rules)
            self._write_decisions()
        self._pending.clear()

    def holdings(self) -> list[ledger.Holding]:
        """Return how many spans each generation has."""
        with schema.map_errors(self._path):
            return ledger.holdings(self._connection)

    def thin(self, keys: Sequence[FileKey], now_ms: int, kept_ms: int) -> None:
        """Join the older spans of *keys* as `shipper.core.ledger.thinned` says; figures and bytes stay."""
        with schema.map_errors(self._path), self._transaction():
            for key in keys:
                before = ledger.spans_of(self._connection, key)
                after = thinned(before, now_ms, kept_ms)
                if len(after) < len(before):
                    ledger.replace(self._connection, key, after, self._rules)

    def drop_accounts(self, closed_before_ms: int, most: int) -> int:
        """Remove what is kept of files that were let go before then, and of the oldest over *most*; return how many."""
        with schema.map_errors(self._path), self._transaction():
            return ledger.drop_accounts(self._connection, closed_before_ms, most)

    def backup(self) -> None:
        """Replace the good copy by what is committed now, if that passes the checks of `open`."""
        check_rows(self._connection, self._path)
        keep_good_copy(self._connection, self._path.parent)

    def close(self) -> None:
        """Write what is pending, close the database, give up the lock; a second call does nothing."""
        try:
            if self._pending:
                with suppress(StateDamaged):  # only the history waits; whoever met the damage first has said so
                    self.commit()
        finally:
            self._connection.close()
            self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with schema.transaction(self._connection):
                yield
        except BaseException:
            self._rules.forget()
            raise

    def _write_decisions(self) -> None:
        self._connection.executemany(ADD_DECISION, map(msgspec.structs.astuple, self._pending))
        file_ids = {decision.file_id for decision in self._pending}
        self._connection.executemany(DROP_DECISIONS, [(file_id, DECISIONS_KEPT) for file_id in file_ids])
