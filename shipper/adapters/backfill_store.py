"""What backfills have sent: files, their settled bytes and restart points, in SQLite under state_dir/backfill.

A store of its own beside the agent's: both may run at once. It owns the lock
of that directory (one backfill at a time) and is used by one thread.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Self

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.core.identity import Guard, Head
from shipper.core.restart import RestartPoint
from shipper.core.shipped import Settled, Shipped
from shipper.errors import StateDamaged, StateError, StateLocked

DIRECTORY: Final = "backfill"
DATABASE: Final = "backfill.db"
FIRST_FILE_ID: Final = 1 << 40  # above all that an agent gives out: letters and record ids name files by it
_APPLICATION_ID: Final = 0x73686266  # "shbf"
_VERSION: Final = 1
_TABLES: Final = (
    """CREATE TABLE files (
         file_id INTEGER PRIMARY KEY, source TEXT NOT NULL, place TEXT NOT NULL, packing TEXT NOT NULL,
         device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
         head_length INTEGER NOT NULL, head_digest BLOB NOT NULL, seal BLOB NOT NULL, length INTEGER
       )""",
    """CREATE TABLE settled (
         file_id INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, carry BLOB NOT NULL,
         guard_length INTEGER NOT NULL, guard_digest BLOB NOT NULL, PRIMARY KEY (file_id, start)
       ) WITHOUT ROWID""",
    """CREATE TABLE points (
         file_id INTEGER NOT NULL, plain INTEGER NOT NULL, bit INTEGER NOT NULL, stream_bit INTEGER NOT NULL,
         "check" INTEGER NOT NULL, length INTEGER NOT NULL, window BLOB NOT NULL, PRIMARY KEY (file_id, plain)
       ) WITHOUT ROWID""",
)


class BackfillStore:
    """The rows; every call is durable when it returns."""

    def __init__(self, connection: sqlite3.Connection, lock: files.StateLock, path: Path) -> None:
        """Use `open` instead."""
        self._connection = connection
        self._lock = lock
        self._path = path
        row = connection.execute("SELECT max(file_id) FROM files").fetchone()
        self._next_id = max((row[0] or 0) + 1, FIRST_FILE_ID)

    @classmethod
    def open(cls, state_dir: Path) -> Self:
        """Lock the backfill's directory in *state_dir*, making it where it is missing, and open its database.

        Raises:
            StateLocked: Another backfill runs with this state directory.
            StateDamaged: The database failed its check; nothing was touched.
            StateError: It cannot be used.
        """
        directory = state_dir / DIRECTORY
        try:
            lock = files.StateLock.take(directory, state_dir)
        except StateLocked:
            raise StateLocked(f"another backfill runs with state_dir {state_dir}; wait for it") from None
        try:
            with files.map_os_errors(directory):
                return cls(_opened(directory / DATABASE), lock, directory / DATABASE)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def peek(cls, state_dir: Path) -> list[Shipped]:
        """Return the rows without lock or change, for a plan; none where there is no store."""
        path = state_dir / DIRECTORY / DATABASE
        if not path.exists():
            return []
        with schema.map_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as peek:
            _check(peek, path)
            return _load(peek)

    def load(self) -> list[Shipped]:
        """Return every file."""
        with schema.map_errors(self._path):
            return _load(self._connection)

    def points(self, file_id: int) -> list[RestartPoint]:
        """Return the restart points of a compressed file, in order."""
        with schema.map_errors(self._path):
            rows = self._connection.execute(
                """SELECT bit, plain, window, "check", length, stream_bit FROM points WHERE file_id = ?
                   ORDER BY plain""",
                (file_id,),
            ).fetchall()
        try:
            return [RestartPoint(row[0], row[1], zlib.decompress(row[2]), *row[3:]) for row in rows]
        except zlib.error as error:
            raise StateDamaged(f"{self._path.name}: damaged: {error} (a restart point)") from None

    def next_file_id(self) -> int:
        """Return an id that no file has; it counts as given out once a row with it is saved."""
        self._next_id += 1
        return self._next_id - 1

    def save(self, shipped: Iterable[Shipped], points: Iterable[tuple[int, RestartPoint]] = ()) -> None:
        """Write files with all that is settled of them, and further restart points, in one transaction.

        Raises:
            StateError: Nothing of it happened.
        """
        connection = self._connection
        with schema.map_errors(self._path), schema.transaction(connection):
            for file in shipped:
                connection.execute(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        file.file_id, file.source, _storable(file.place), file.packing, file.device, file.inode,
                        file.size, file.mtime_ns, file.head.length, file.head.digest, file.seal, file.length,
                    ),
                )  # fmt: skip
                connection.execute("DELETE FROM settled WHERE file_id = ?", (file.file_id,))
                connection.executemany(
                    "INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?)",
                    [(file.file_id, s.start, s.end, s.carry, s.guard.length, s.guard.digest) for s in file.settled],
                )
            connection.executemany(
                "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (file_id, p.plain, p.bit, p.stream_bit, p.check, p.length, zlib.compress(p.window, 1))
                    for file_id, p in points
                ],
            )

    def drop_points(self, file_ids: Sequence[int]) -> None:
        """Forget the restart points of files that are wholly settled."""
        with schema.map_errors(self._path), schema.transaction(self._connection):
            self._connection.executemany("DELETE FROM points WHERE file_id = ?", [(each,) for each in file_ids])

    def close(self) -> None:
        """Close the database and give the lock up; a second call does nothing."""
        self._connection.close()
        self._lock.release()


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _opened(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    if fresh:
        path.touch(mode=0o600)
    connection = schema.connect(path)
    try:
        with schema.map_errors(path):
            if fresh or connection.execute("PRAGMA application_id").fetchone() == (0,):
                _create(connection)
            _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    with schema.transaction(connection):
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    mend = f"move {path} away to start from nothing: everything is sent again then"
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise StateDamaged(f"{path.name}: damaged: not a backfill's store; {mend}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        raise StateError(f"{path}: schema version {version}, this shipper reads {_VERSION}; nothing was touched")
    faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if faults != ["ok"]:
        raise StateDamaged(f"{path.name}: damaged: {' '.join(str(faults[0]).split())}; {mend}")


def _load(connection: sqlite3.Connection) -> list[Shipped]:
    found: dict[int, Shipped] = {}
    for row in connection.execute("SELECT * FROM files ORDER BY file_id"):
        found[row[0]] = Shipped(
            file_id=row[0], source=row[1], place=row[2], packing=row[3], device=row[4], inode=row[5], size=row[6],
            mtime_ns=row[7], head=Head(row[8], row[9]), seal=row[10], length=row[11], settled=[],
        )  # fmt: skip
    for row in connection.execute("SELECT * FROM settled ORDER BY file_id, start"):
        if row[0] in found:
            found[row[0]].settled.append(Settled(row[1], row[2], row[3], Guard(row[4], row[5])))
    return list(found.values())
