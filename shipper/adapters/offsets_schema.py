"""The offset store's database as SQLite sees it: settings, versions, checks, copies.

It knows tables and pragmas, not what a row means. ``synchronous=FULL`` with a
write-ahead log: a commit is durable when it returns, at one sync each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from shipper.adapters.offsets_spans import SPANS
from shipper.errors import StateDamaged, StateError

MAGIC: Final = b"SQLite format 3\0"
APPLICATION_ID: Final = 0x73687072  # "shpr": tells our database from any other that stands under its name

_VERSION_1: Final = (
    """CREATE TABLE lives (
         file_id INTEGER NOT NULL, generation INTEGER NOT NULL,
         source TEXT NOT NULL, path TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
         head_length INTEGER NOT NULL, head_digest BLOB NOT NULL,
         guard_length INTEGER NOT NULL, guard_digest BLOB NOT NULL,
         "offset" INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
         state TEXT NOT NULL, carry BLOB NOT NULL,
         born_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, counters TEXT NOT NULL,
         PRIMARY KEY (file_id, generation)
       ) WITHOUT ROWID""",
    """CREATE TABLE decisions (
         turn INTEGER PRIMARY KEY,
         file_id INTEGER NOT NULL, generation INTEGER NOT NULL,
         what TEXT NOT NULL, evidence TEXT NOT NULL, at_ms INTEGER NOT NULL
       )""",
    "CREATE INDEX decisions_of_a_file ON decisions (file_id, turn)",
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO marks VALUES ('next_file_id', 1)",
)
_LINEAGE: Final = ("ALTER TABLE lives ADD COLUMN lineage INTEGER NOT NULL DEFAULT 0",)
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_VERSION_1, SPANS, _LINEAGE)
"""Statements that lead from version n to n + 1, at index n; released ones are never changed."""

_DAMAGE_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_LOG_LIMIT_BYTES: Final = 4 << 20


@contextmanager
def map_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        StateDamaged: The content of the database is at fault.
        StateError: The disk is: full, read-only, failing. What was asked did
            not happen, and may be asked again.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        # The low byte is the primary code; the rest says which system call it was. An operational
        # error without a code is the module's own: text in a row that is not UTF-8.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _DAMAGE_CODES and not isinstance(error, sqlite3.ProgrammingError):
            raise StateDamaged(f"{path.name}: damaged: {error}") from error
        raise StateError(f"{path}: {error}; check the disk's space and health") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at *path*, which must be there; nothing is read yet."""
    with map_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection


def check(connection: sqlite3.Connection, path: Path, known_version: int = len(MIGRATIONS)) -> int:
    """Return the schema version of a database that is ours, sound and not from the future.

    Raises:
        StateDamaged: It is not an offset store, or its pages do not hang together.
        StateError: It is of a newer version, or cannot be read just now.
    """
    with map_errors(path):
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise StateDamaged(f"{path.name}: damaged: not an offset store (application id {application:#x})")
        if version > known_version:
            raise StateError(
                f"{path}: written by a newer shipper (schema version {version}, this one knows"
                f" {known_version}); nothing was touched: install that one,"
                " or give this one another state_dir"
            )
        faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if faults != ["ok"]:
        raise StateDamaged(f"{path.name}: damaged: {' '.join(str(faults[0]).split())} (integrity check)")
    return version


def create(connection: sqlite3.Connection, path: Path, first_file_id: int) -> None:
    """Make the empty file at *path* an offset store of the newest version."""
    with map_errors(path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection, path, 0)
    with map_errors(path):
        raise_mark(connection, "next_file_id", first_file_id)


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    version: int,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> None:
    """Lead the database from *version* to the newest, each step whole or not at all."""
    with map_errors(path):
        for number, statements in enumerate(migrations[version:], start=version + 1):
            with transaction(connection):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is executed inside becomes durable, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after most disk errors.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def mark(connection: sqlite3.Connection, name: str) -> int:
    """Return the value of a mark, 0 where it was never set."""
    row = connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def raise_mark(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Set a mark to *value*, unless it is higher already."""
    connection.execute(
        "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (name, value),
    )


def copy_into(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the whole database into the empty file at *path*, checked, without a write-ahead log of its own.

    Raises:
        StateDamaged: What was copied is not sound; the copy must not replace a good one.
    """
    with map_errors(path), closing(connect(path)) as target:
        connection.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        check(target, path)
