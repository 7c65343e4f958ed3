"""How the offset store's database is opened, recovered, built anew and put in place.

Nothing is ever overwritten that could still be wanted: a damaged database is
renamed, and its last good copy goes on in its place. The lock is held by the
caller, but for the two functions that restore.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.adapters.offsets_life import SELECT, UPSERT, Life, from_row, to_row
from shipper.adapters.offsets_spans import Rules, write
from shipper.core.ledger import BEFORE, without_delivery
from shipper.errors import StateDamaged


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


def open_or_recover(
    state_dir: Path, now_ms: int, migrations: Sequence[Sequence[str]]
) -> tuple[sqlite3.Connection, str | None]:
    """Return a sound database of the newest version, and what happened where it is the good copy's content.

    Raises:
        StateDamaged: The database failed its check, was set aside, and there is no good copy.
        StateError: It cannot be used just now; nothing was touched.
    """
    path = state_dir / files.DATABASE
    try:
        if path.exists():
            return open_sound(path, path, migrations, keep_copy=True), None
        if not _is_lost(state_dir):
            # Letters of an earlier database may be left: its ids must not come again.
            first_id = 1 if files.is_unused(state_dir) else now_ms // 1000
            files.put_in_place(_build_new(state_dir, first_id, ()), files.DATABASE)
            return open_sound(path, path, migrations), None
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
    connection = open_sound(files.put_in_place(built, files.DATABASE), good, migrations)
    return connection, f"{story}; the copy of {written} is used: what was acknowledged since is sent again"


def open_sound(
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
                keep_good_copy(connection, path.parent)
            schema.migrate(connection, named, version, migrations)
        check_rows(connection, named)
    except BaseException:
        connection.close()
        raise
    return connection


def rows_of(
    connection: sqlite3.Connection, named: Path, query: str = SELECT, values: Sequence[int] = ()
) -> Iterator[Life]:
    """Yield the rows that *query* asks the database for, called *named* in errors, one at a time: there may be many.

    Raises:
        StateDamaged: One of them is no row.
    """
    with schema.map_errors(named), closing(connection.execute(query, values)) as rows:
        try:
            yield from map(from_row, rows)
        except (ValueError, msgspec.MsgspecError) as error:
            raise StateDamaged(f"{named.name}: damaged: {error} (a row)") from error


def check_rows(connection: sqlite3.Connection, named: Path) -> None:
    """Look at every row of the database, called *named* in errors; errors are those of `rows_of`."""
    deque(rows_of(connection, named), maxlen=0)


def _build_new(state_dir: Path, first_id: int, lives: Sequence[Life]) -> Path:
    unfinished = files.start_unfinished(state_dir)
    with closing(schema.connect(unfinished)) as connection:
        schema.create(connection, unfinished, max([first_id, *(life.file_id + 1 for life in lives)]))
        with schema.map_errors(unfinished), schema.transaction(connection):
            connection.executemany(UPSERT, map(to_row, lives))
            before = [
                (life.key, without_delivery(0, life.offset, BEFORE, life.changed_ms)) for life in lives if life.offset
            ]
            write(connection, before, Rules())
    return unfinished


def _build_from_copy(state_dir: Path, content: Path, now_ms: int, migrations: Sequence[Sequence[str]]) -> Path:
    unfinished = files.start_unfinished(state_dir, content)
    with closing(open_sound(unfinished, content, migrations)) as connection, schema.map_errors(unfinished):
        # Files that were met since the copy was made have ids, and letters, that it does not know.
        schema.raise_mark(connection, "next_file_id", now_ms // 1000)
        connection.execute("PRAGMA journal_mode = WAL")
    return unfinished


def keep_good_copy(connection: sqlite3.Connection, state_dir: Path) -> None:
    """Replace the good copy by what is committed now, if that is sound."""
    with files.map_os_errors(state_dir):
        unfinished = files.start_unfinished(state_dir)
        schema.copy_into(connection, unfinished)
        files.put_in_place(unfinished, files.GOOD_COPY)
