"""The ledger's rows in the offset store: spans of each generation, and what is kept of files that are let go.

What a span means, and which are joined, is core/ledger.py's. Every function
works on the connection of whoever owns the store, inside his transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.core.ledger import BEFORE, Entry
from shipper.core.model import FileKey

Row = tuple[int | str | None, ...]

_FIELDS: Final = (
    "start", '"end"', "seed", "digest", "read_ms", "acked_ms", "batch", "batch_last", "status", "rule", '"read"',
    "acked", "rest", "cuts", "dropped",
)  # fmt: skip
SPANS: Final = (
    """CREATE TABLE rules (
         id INTEGER PRIMARY KEY, layout TEXT NOT NULL, fingerprint TEXT NOT NULL, UNIQUE (layout, fingerprint)
       )""",
    """CREATE TABLE spans (
         file_id INTEGER NOT NULL, generation INTEGER NOT NULL,
         start INTEGER NOT NULL, "end" INTEGER NOT NULL, seed INTEGER NOT NULL, digest INTEGER NOT NULL,
         read_ms INTEGER NOT NULL, acked_ms INTEGER NOT NULL,
         batch INTEGER NOT NULL, batch_last INTEGER NOT NULL, status INTEGER, rule INTEGER NOT NULL,
         "read" INTEGER NOT NULL, acked INTEGER NOT NULL, rest TEXT NOT NULL, cuts TEXT NOT NULL, dropped TEXT NOT NULL,
         PRIMARY KEY (file_id, generation, start)
       ) WITHOUT ROWID""",
    """CREATE TABLE accounts (
         file_id INTEGER NOT NULL, generation INTEGER NOT NULL,
         source TEXT NOT NULL, path TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
         head_length INTEGER NOT NULL, head_digest BLOB NOT NULL,
         "offset" INTEGER NOT NULL, carry BLOB NOT NULL, counters TEXT NOT NULL, closed_ms INTEGER NOT NULL,
         PRIMARY KEY (file_id, generation)
       ) WITHOUT ROWID""",
    f"""INSERT INTO spans SELECT file_id, generation, 0, "offset", 0, -1, born_ms, changed_ms, 0, 0, NULL, 0, 0, 0,
         '', '', '{BEFORE}' FROM lives WHERE "offset" > 0""",  # noqa: S608 -- a word of our own
)
"""The second migration: what was read before there was a ledger is one span of its own."""

_NAMES: Final = ", ".join(_FIELDS)
_WRITE: Final = (
    f"INSERT OR REPLACE INTO spans (file_id, generation, {_NAMES}) VALUES ({', '.join('?' * (2 + len(_FIELDS)))})"  # noqa: S608
)
_OF: Final = (
    f"SELECT {_NAMES.replace('rule', 'layout, fingerprint')} FROM spans LEFT JOIN rules ON rules.id = spans.rule"  # noqa: S608
    " WHERE file_id = ? AND generation = ? ORDER BY start"
)
_CLOSE: Final = """INSERT OR REPLACE INTO accounts SELECT file_id, generation, source, path, device, inode,
    head_length, head_digest, "offset", carry, counters, ? FROM lives WHERE file_id = ? AND generation = ?"""
_RAISE_BATCH: Final = """INSERT INTO marks VALUES ('batch', ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"""

_encode: Final = msgspec.json.Encoder().encode
_rest: Final = msgspec.json.Decoder(dict[str, int]).decode
_cuts: Final = msgspec.json.Decoder(list[int]).decode

Spans = Sequence[tuple[FileKey, Entry]]


class Holding(NamedTuple):
    """How many spans a generation has, and when the first of them was settled."""

    key: FileKey
    rows: int
    oldest_ms: int


class Rules:
    """Ids of the rules that spans name; a few for each source, kept in memory."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._ids: dict[tuple[str, str], int] = {("", ""): 0}

    def id_of(self, connection: sqlite3.Connection, entry: Entry) -> int:
        """Return the id of an entry's rule, making it where it is new."""
        name = (entry.layout, entry.fingerprint)
        found = self._ids.get(name)
        if found is None:
            connection.execute("INSERT OR IGNORE INTO rules (layout, fingerprint) VALUES (?, ?)", name)
            row = connection.execute("SELECT id FROM rules WHERE layout = ? AND fingerprint = ?", name).fetchone()
            found = self._ids[name] = int(row[0])
        return found

    def forget(self) -> None:
        """Look every id up again: a transaction that made some was rolled back."""
        self._ids = {("", ""): 0}


def write(connection: sqlite3.Connection, spans: Spans, rules: Rules) -> None:
    """Write *spans*; one that begins where a present one does replaces it."""
    connection.executemany(_WRITE, [_to_row(key, entry, rules.id_of(connection, entry)) for key, entry in spans])
    last = max((entry.batch_last for _, entry in spans), default=0)
    if last:
        connection.execute(_RAISE_BATCH, (last,))


def spans_of(connection: sqlite3.Connection, key: FileKey) -> list[Entry]:
    """Return the spans of a generation, in file order.

    Raises:
        ValueError, msgspec.MsgspecError: A value has the wrong type.
    """
    return [_from_row(row) for row in connection.execute(_OF, key)]


def replace(connection: sqlite3.Connection, key: FileKey, entries: Iterable[Entry], rules: Rules) -> None:
    """Put *entries* in the place of every span of a generation."""
    connection.execute("DELETE FROM spans WHERE file_id = ? AND generation = ?", key)
    write(connection, [(key, entry) for entry in entries], rules)


def close(connection: sqlite3.Connection, keys: Sequence[FileKey], now_ms: int) -> None:
    """Keep the account of generations whose rows are about to go."""
    connection.executemany(_CLOSE, [(now_ms, *key) for key in keys])


def holdings(connection: sqlite3.Connection) -> list[Holding]:
    """Return what the ledger holds, by generation."""
    rows = connection.execute(
        "SELECT file_id, generation, count(*), min(acked_ms) FROM spans GROUP BY file_id, generation"
    )
    return [Holding(FileKey(row[0], row[1]), row[2], row[3]) for row in rows]


def drop_accounts(connection: sqlite3.Connection, closed_before_ms: int, most: int) -> int:
    """Remove the accounts of files let go before *closed_before_ms*, and the oldest over *most*; return how many."""
    gone = [
        (row[0], row[1])
        for row in connection.execute(
            """SELECT file_id, generation, closed_ms, row_number() OVER (ORDER BY closed_ms DESC) AS place
               FROM accounts""",
        )
        if row[2] < closed_before_ms or row[3] > most
    ]
    for table in ("accounts", "spans"):
        connection.executemany(f"DELETE FROM {table} WHERE file_id = ? AND generation = ?", gone)  # noqa: S608
    return len(gone)


def _to_row(key: FileKey, entry: Entry, rule: int) -> Row:
    return (
        key.file_id,
        key.generation,
        entry.start,
        entry.end,
        entry.seed,
        entry.digest,
        entry.read_ms,
        entry.acked_ms,
        entry.batch,
        entry.batch_last,
        entry.status,
        rule,
        entry.read,
        entry.acked,
        _encode(entry.rest).decode() if entry.rest else "",
        _encode(entry.cuts).decode() if entry.cuts else "",
        entry.dropped,
    )


def _from_row(row: Sequence[object]) -> Entry:
    *plain, rest, cuts, dropped = row
    figures = {
        "rest": _rest(str(rest)) if rest else {},
        "cuts": _cuts(str(cuts)) if cuts else [],
        "dropped": dropped,
    }
    plain[9] = plain[9] or ""
    plain[10] = plain[10] or ""
    return msgspec.convert(dict(zip(Entry.__struct_fields__, plain, strict=False)) | figures, Entry)
