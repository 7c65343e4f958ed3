"""A row of the offset store: one life of one followed file, and how it goes in and out of SQLite.

The columns are those of `shipper.adapters.offsets_schema`, in its order.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from shipper.core.model import FileKey


class LifeState(enum.StrEnum):
    """Where a file stands in its life.

    FOLLOWING: It is written under a matched name. DRAINING: It was rotated, or has lost its name, and is read to its
    end. UNPACKING: The same, of a compressed file: offsets are those of its text. SPILLED: Its unread bytes stand in
    the spill. ORPHAN: Its bytes are gone from where they were; a copy may turn up. DONE: It was read to its end and
    let go; its copies are known by it.
    """

    FOLLOWING = "following"
    DRAINING = "draining"
    UNPACKING = "unpacking"
    SPILLED = "spilled"
    ORPHAN = "orphan"
    DONE = "done"


class Life(msgspec.Struct, kw_only=True):
    """One generation of one file.

    Attributes:
        head_length, head_digest: Fingerprint of the first bytes, 1024 at most.
        guard_length, guard_digest: Frontier guard: digest of the last bytes before *offset*, 256 at most.
        offset: Everything below is safe elsewhere, filtered, or among the dead letters.
        size, mtime_ns: As last observed.
        carry: JSON of `shipper.core.model.Carry`; empty for a fresh one.
        born_ms, changed_ms: When it was first seen, and when this row last changed.
        counters: The ledger of this life: read, acked, filtered and so on.
        lineage: The stream that it is a part of: the id of the first file of it that was met; 0 for its own.
    """

    file_id: int
    generation: int
    source: str
    path: str
    device: int
    inode: int
    head_length: int = 0
    head_digest: bytes = b""
    guard_length: int = 0
    guard_digest: bytes = b""
    offset: int = 0
    size: int = 0
    mtime_ns: int = 0
    state: LifeState = LifeState.FOLLOWING
    carry: bytes = b""
    born_ms: int = 0
    changed_ms: int = 0
    counters: dict[str, int] = {}
    lineage: int = 0

    @property
    def key(self) -> FileKey:
        """The row's key."""
        return FileKey(self.file_id, self.generation)


class Decision(msgspec.Struct, kw_only=True):
    """What was made of a file, and on what evidence."""

    file_id: int
    generation: int
    what: str
    evidence: str
    at_ms: int


Row = tuple[int | str | bytes, ...]

COLUMNS: Final = Life.__struct_fields__
_NAMES: Final = ", ".join(f'"{name}"' for name in COLUMNS)
SELECT: Final = f"SELECT {_NAMES} FROM lives ORDER BY file_id, generation"  # noqa: S608 -- names of our own struct
SELECT_AFTER: Final = SELECT.replace("ORDER BY", "WHERE (file_id, generation) > (?, ?) ORDER BY") + " LIMIT ?"
UPSERT: Final = (
    f"INSERT INTO lives ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 -- the same
    " ON CONFLICT (file_id, generation) DO UPDATE SET "
    + ", ".join(f'"{name}" = excluded."{name}"' for name in COLUMNS[2:])
)

DECISION_COLUMNS: Final = Decision.__struct_fields__
_DECISION_NAMES: Final = ", ".join(DECISION_COLUMNS)
ADD_DECISION: Final = f"INSERT INTO decisions ({_DECISION_NAMES}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 -- the same
DECISIONS_OF: Final = f"SELECT {_DECISION_NAMES} FROM decisions WHERE file_id = ? ORDER BY turn"  # noqa: S608
DROP_DECISIONS: Final = """DELETE FROM decisions WHERE file_id = ?1 AND turn <=
    (SELECT turn FROM decisions WHERE file_id = ?1 ORDER BY turn DESC LIMIT 1 OFFSET ?2)"""
DROP_OLD_DECISIONS: Final = "DELETE FROM decisions WHERE at_ms < ? AND file_id NOT IN (SELECT file_id FROM lives)"

_counters = msgspec.json.Decoder(dict[str, int])
_encode = msgspec.json.Encoder().encode


def to_row(life: Life) -> Row:
    """Return the values of a life's row."""
    return (
        life.file_id,
        life.generation,
        life.source,
        _path_out(life.path),
        _signed(life.device),
        _signed(life.inode),
        life.head_length,
        life.head_digest,
        life.guard_length,
        life.guard_digest,
        life.offset,
        life.size,
        life.mtime_ns,
        life.state.value,
        life.carry,
        life.born_ms,
        life.changed_ms,
        _encode(life.counters).decode(),
        life.lineage,
    )


def from_row(row: Sequence[object]) -> Life:
    """Return the life of a row.

    Raises:
        ValueError, msgspec.MsgspecError: A value has the wrong type or range, which the check of
            pages does not see.
    """
    values = dict(zip(COLUMNS, row, strict=True))
    path = values["path"]
    values["path"] = os.fsdecode(path) if isinstance(path, bytes) else path
    values["device"] = _unsigned(values["device"])
    values["inode"] = _unsigned(values["inode"])
    values["counters"] = _counters.decode(str(values["counters"]))
    life = msgspec.convert(values, Life)
    if life.offset < 0 or life.generation < 0 or life.file_id < 0:
        raise ValueError(f"a number of file {life.file_id}.{life.generation} is below zero")
    return life


def _path_out(path: str) -> str | bytes:
    """Text where it is text, so that the sqlite3 shell shows it; a name that is not UTF-8 as its bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _signed(number: int) -> int:
    """Fit an unsigned 64-bit number of the kernel into SQLite's signed one."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _unsigned(number: object) -> object:
    return number + (1 << 64) if isinstance(number, int) and number < 0 else number
