"""The offset store: one row for each life of each followed file, in SQLite under the state directory.

It owns ``offsets.db``, its good copy and the lock, and is owned by one thread
(`shipper.adapters.offsets_thread`). What an offset means, and when it is
safe, others decide. Nothing is ever overwritten that could still be wanted:
a damaged database is renamed, and its last good copy goes on in its place.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.adapters.offsets_life import (
    ADD_DECISION,
    DECISION_COLUMNS,
    DECISIONS_OF,
    DROP_DECISIONS,
    DROP_OLD_DECISIONS,
    SELECT,
    UPSERT,
    Decision,
    Life,
    LifeState,
    from_row,
    to_row,
)
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
                connection, recovered = _open_or_recover(state_dir, now_ms, migrations)
            store = cls(connection, lock, state_dir, recovered)
            with schema.map_errors(store._path), schema.transaction(connection):
                connection.execute(DROP_OLD_DECISIONS, (now_ms - DECISIONS_KEPT_MS,))
        except BaseException:
            lock.release()
            raise
        return store

    def load(self) -> list[Life]:
        """Return every row, by file and generation."""
        return _rows(self._connection, self._path)

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
    ) -> None:
        """Write *lives*, remove *gone*, in one transaction that is durable on return, *letters* before it.

        Raises:
            StateError: Nothing of it happened, but letters may be written: asked again, they are not twice.
        """
        if letters:
            if self.letters is None:
                raise ValueError("letters to commit, and nowhere to write them")
            self.letters.append(letters)
        connection = self._connection
        with schema.map_errors(self._path), schema.transaction(connection):
            connection.executemany(UPSERT, map(to_row, lives))
            connection.executemany("DELETE FROM lives WHERE file_id = ? AND generation = ?", gone)
            if lives:
                schema.raise_mark(connection, "next_file_id", 1 + max(life.file_id for life in lives))
            self._write_decisions()
        self._pending.clear()

    def decide(self, key: FileKey, what: str, evidence: str, now_ms: int) -> None:
        """Note what was made of a file; durable with the next commit, the last 20 a file are kept."""
        self._pending.append(
            Decision(file_id=key.file_id, generation=key.generation, what=what, evidence=evidence, at_ms=now_ms)
        )

    def decisions(self, file_id: int) -> list[Decision]:
        """Return what was made of a file, oldest first."""
        self.commit()
        with schema.map_errors(self._path):
            rows = self._connection.execute(DECISIONS_OF, (file_id,)).fetchall()
        return [msgspec.convert(dict(zip(DECISION_COLUMNS, row, strict=True)), Decision) for row in rows]

    def backup(self) -> None:
        """Replace the good copy by what is committed now, if that passes the checks of `open`."""
        self.load()
        _keep_good_copy(self._connection, self._path.parent)

    def close(self) -> None:
        """Write what is pending, close the database, give up the lock; a second call does nothing."""
        try:
            if self._pending:
                self.commit()
        finally:
            self._connection.close()
            self._lock.release()

    def _write_decisions(self) -> None:
        self._connection.executemany(ADD_DECISION, map(msgspec.structs.astuple, self._pending))
        file_ids = {decision.file_id for decision in self._pending}
        self._connection.executemany(DROP_DECISIONS, [(file_id, DECISIONS_KEPT) for file_id in file_ids])


def restore_copy(state_dir: Path, copy: Path | None, now_ms: int) -> str | None:
    """Put *copy*, else the good copy, in the place of the database; return the name that this one has now.

    Raises:
        StateLocked: An agent runs on *state_dir*.
        StateDamaged: *copy* is not sound; nothing was touched.
    """
    content = copy or state_dir / files.GOOD_COPY
    build = partial(_build_from_copy, state_dir, content, now_ms, schema.MIGRATIONS)
    return _restore(state_dir, now_ms, build)


def restore_lives(state_dir: Path, lives: Sequence[Life], now_ms: int) -> str | None:
    """Put a database with just these rows in the place of the present one; else as `restore_copy`."""
    return _restore(state_dir, now_ms, partial(_build_new, state_dir, now_ms // 1000, lives))


def _restore(state_dir: Path, now_ms: int, build: Callable[[], Path]) -> str | None:
    lock = files.StateLock.take(state_dir)
    try:
        with files.map_os_errors(state_dir):
            built = build()
            replaced = files.set_aside(state_dir, now_ms, "replaced")
            files.put_in_place(built, files.DATABASE)
            return replaced
    finally:
        lock.release()


def _open_or_recover(
    state_dir: Path, now_ms: int, migrations: Sequence[Sequence[str]]
) -> tuple[sqlite3.Connection, str | None]:
    path = state_dir / files.DATABASE
    try:
        if path.exists():
            return _open_sound(path, path, migrations, keep_copy=True), None
        if not _is_lost(state_dir):
            # Letters of an earlier database may be left: its ids must not come again.
            first_id = 1 if files.is_unused(state_dir) else now_ms // 1000
            files.put_in_place(_build_new(state_dir, first_id, ()), files.DATABASE)
            return _open_sound(path, path, migrations), None
        damage = f"{path.name}: missing"
    except StateDamaged as error:
        damage = str(error)
    return _recover(state_dir, damage, now_ms, migrations)


def _is_lost(state_dir: Path) -> bool:
    """Whether a database was here: to start from nothing in its place is the operator's choice, not ours."""
    left = (files.GOOD_COPY, f"{files.DATABASE}-wal")
    return any((state_dir / name).exists() for name in left) or files.aside_before(state_dir) is not None


def _recover(
    state_dir: Path, damage: str, now_ms: int, migrations: Sequence[Sequence[str]]
) -> tuple[sqlite3.Connection, str]:
    aside = files.set_aside(state_dir, now_ms)
    good = state_dir / files.GOOD_COPY
    story = f"{damage}; set aside as {aside}" if aside else damage
    left = aside or files.aside_before(state_dir) or good.name
    mend = f"run 'shipper state restore FILE' with an export, or move {left} away to start from nothing"
    if not good.exists():
        raise StateDamaged(f"{story}; there is no good copy: {mend}")
    try:
        built = _build_from_copy(state_dir, good, now_ms, migrations)
    except StateDamaged as error:
        raise StateDamaged(f"{story}; the good copy is no better ({error}): {mend}") from error
    written = files.age_text(good)
    connection = _open_sound(files.put_in_place(built, files.DATABASE), good, migrations)
    return connection, f"{story}; the copy of {written} is used: what was acknowledged since is sent again"


def _open_sound(
    path: Path, named: Path, migrations: Sequence[Sequence[str]], *, keep_copy: bool = False
) -> sqlite3.Connection:
    """Open the database at *path*, called *named* in errors; it is checked to the last row, and migrated."""
    # Seen to before SQLite is: it would remove the write-ahead log beside a file that is no database.
    if not files.begins_with(path, schema.MAGIC):
        raise StateDamaged(f"{named.name}: damaged: not a database")
    connection = schema.connect(path)
    try:
        version = schema.check(connection, named, len(migrations))
        if version < len(migrations):
            if keep_copy:
                _keep_good_copy(connection, path.parent)
            schema.migrate(connection, named, version, migrations)
        _rows(connection, named)
    except BaseException:
        connection.close()
        raise
    return connection


def _rows(connection: sqlite3.Connection, named: Path) -> list[Life]:
    with schema.map_errors(named):
        rows = connection.execute(SELECT).fetchall()
    try:
        return [from_row(row) for row in rows]
    except (ValueError, msgspec.MsgspecError) as error:
        raise StateDamaged(f"{named.name}: damaged: {error} (a row)") from error


def _build_new(state_dir: Path, first_id: int, lives: Sequence[Life]) -> Path:
    unfinished = files.start_unfinished(state_dir)
    with closing(schema.connect(unfinished)) as connection:
        schema.create(connection, unfinished, max([first_id, *(life.file_id + 1 for life in lives)]))
        with schema.map_errors(unfinished), schema.transaction(connection):
            connection.executemany(UPSERT, map(to_row, lives))
    return unfinished


def _build_from_copy(state_dir: Path, content: Path, now_ms: int, migrations: Sequence[Sequence[str]]) -> Path:
    unfinished = files.start_unfinished(state_dir, content)
    with closing(_open_sound(unfinished, content, migrations)) as connection, schema.map_errors(unfinished):
        # Files that were met since the copy was made have ids, and letters, that it does not know.
        schema.raise_mark(connection, "next_file_id", now_ms // 1000)
        connection.execute("PRAGMA journal_mode = WAL")
    return unfinished


def _keep_good_copy(connection: sqlite3.Connection, state_dir: Path) -> None:
    with files.map_os_errors(state_dir):
        unfinished = files.start_unfinished(state_dir)
        schema.copy_into(connection, unfinished)
        files.put_in_place(unfinished, files.GOOD_COPY)
