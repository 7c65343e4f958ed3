"""The offset store read beside its owner: consistent, read-only, without the lock.

For commands that only look: a running agent commits on meanwhile. Each call is
one transaction, so what it returns belongs together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import quote

import msgspec

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.adapters.offsets_life import COLUMNS, SELECT, Life, LifeState, from_row
from shipper.adapters.offsets_spans import spans_of
from shipper.core.ledger import Entry
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError, UsageError

_KEPT: Final = frozenset(
    ["file_id", "generation", "source", "path", "device", "inode", "head_length", "head_digest", "offset", "carry",
     "counters"]
)  # fmt: skip
_MADE_UP: Final = {
    "guard_digest": "x''", "size": '"offset"', "state": "'done'", "born_ms": "closed_ms", "changed_ms": "closed_ms"
}  # fmt: skip
_ACCOUNTS: Final = (
    "SELECT "  # noqa: S608 -- names of our own struct
    + ", ".join(f'"{name}"' if name in _KEPT else _MADE_UP.get(name, "0") for name in COLUMNS)
    + " FROM accounts ORDER BY file_id, generation"
)


class Ledger(NamedTuple):
    """A generation and its spans, as of one instant.

    Attributes:
        life: Its row; of a file that was let go, what is kept of it, in state DONE.
        closed: Whether it was let go.
    """

    life: Life
    spans: list[Entry]
    closed: bool


class Snapshot:
    """The store of one state directory, to be read; each call opens it and closes it again.

    What stays open would keep a running agent's write-ahead log from being cut.
    """

    def __init__(self, path: Path) -> None:
        """Use `open` instead."""
        self._path = path

    @classmethod
    def open(cls, state_dir: Path) -> Self:
        """Read what is in *state_dir*; nothing is made, locked or mended.

        Raises:
            UsageError: No agent has run with this directory.
            StateDamaged: It is no offset store.
            StateError: It cannot be read, or is of another version.
        """
        path = state_dir / files.DATABASE
        if not path.exists():
            raise UsageError(f"{state_dir}: no state here: no agent has run with this state_dir")
        with files.map_os_errors(path):
            if not files.begins_with(path, schema.MAGIC):
                raise StateDamaged(f"{path.name}: damaged: not a database; see 'shipper state restore'")
        snapshot = cls(path)
        with snapshot._reading() as connection:
            version = schema.check(connection, path)
        if version != len(schema.MIGRATIONS):
            raise StateError(
                f"{path}: schema version {version}, this shipper reads {len(schema.MIGRATIONS)};"
                " the agent brings it up to date when it starts"
            )
        return snapshot

    def lives(self) -> list[tuple[Life, bool]]:
        """Return every generation that is known, and whether it was let go: by file and generation."""
        with self._reading() as connection:
            now = [(from_row(row), False) for row in connection.execute(SELECT)]
            closed = [(from_row(row), True) for row in connection.execute(_ACCOUNTS)]
        present = {life.key for life, _ in now}
        return sorted(now + [(life, gone) for life, gone in closed if life.key not in present], key=lambda f: f[0].key)

    def ledger(self, key: FileKey) -> Ledger | None:
        """Return a generation with its spans; None where it has gone."""
        with self._reading() as connection:
            found = next(_rows(connection, key), None)
            return Ledger(found[0], spans_of(connection, key), found[1]) if found else None

    def orphans(self) -> list[FileKey]:
        """Return generations that have spans and no row."""
        with self._reading() as connection:
            rows = connection.execute(
                """SELECT DISTINCT file_id, generation FROM spans EXCEPT
                   SELECT file_id, generation FROM lives EXCEPT SELECT file_id, generation FROM accounts"""
            ).fetchall()
        return [FileKey(row[0], row[1]) for row in rows]

    def spans(self, key: FileKey) -> list[Entry]:
        """Return the spans of a generation, whether it has a row or not."""
        with self._reading() as connection:
            return spans_of(connection, key)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside of a transaction.

        Without a write-ahead log everything is in the one file and nobody writes it: SQLite then needs no side
        files, which would be left behind, and would belong to whoever looks.
        """
        sides = (self._path.with_name(self._path.name + side) for side in ("-wal", "-shm"))
        how = "mode=ro" if any(side.exists() for side in sides) else "mode=ro&immutable=1"
        address = f"file:{quote(str(self._path.absolute()))}?{how}"
        try:
            with (
                schema.map_errors(self._path),
                closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=5)) as connection,
            ):
                connection.execute("BEGIN")
                yield connection
        except (ValueError, msgspec.MsgspecError) as error:
            raise StateDamaged(f"{self._path.name}: damaged: {error} (a row)") from error


def _rows(connection: sqlite3.Connection, key: FileKey) -> Iterator[tuple[Life, bool]]:
    for query, closed in ((SELECT, False), (_ACCOUNTS, True)):
        only = query.replace("ORDER BY", "WHERE file_id = ? AND generation = ? ORDER BY")
        for row in connection.execute(only, key):
            yield from_row(row), closed


__all__ = ["Ledger", "LifeState", "Snapshot"]
