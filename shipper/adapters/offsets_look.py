"""The state folder looked at from outside: no lock taken, nothing written, nothing repaired.

`OffsetStore.open` repairs what is damaged; who asks how things stand must not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from shipper.adapters import offsets_files as files
from shipper.adapters import offsets_schema as schema
from shipper.adapters.offsets_life import SELECT, Life, from_row
from shipper.errors import StateDamaged, StateError


class Look(NamedTuple):
    """How the state folder was found.

    Attributes:
        exists: Whether an agent has ever run there.
        owner: Number of the user that it belongs to.
        holder: Process that holds the lock; None for none.
        damage: Why the store cannot be used; empty where it is sound, or there is none yet.
        newer: Whether a newer version wrote it.
        files: Rows.
        copied_at: When the good copy was made, in seconds since 1970; None where there is none.
        set_aside: Names of databases that were damaged or replaced, newest first.
    """

    exists: bool
    owner: int = 0
    holder: int | None = None
    damage: str = ""
    newer: bool = False
    files: int = 0
    copied_at: float | None = None
    set_aside: tuple[str, ...] = ()


def look_at_state(state_dir: Path) -> Look:
    """Return how *state_dir* stands.

    Raises:
        StateError: It cannot be read.
    """
    with files.map_os_errors(state_dir):
        if not (state_dir / files.LOCK).exists():
            return Look(exists=False)
        look = Look(
            exists=True, owner=state_dir.stat().st_uid, holder=holder_of(state_dir), copied_at=_copied_at(state_dir),
            set_aside=_set_aside(state_dir),
        )  # fmt: skip
        try:
            return look._replace(files=_count(state_dir))
        except StateDamaged as error:
            return look._replace(damage=str(error))
        except StateError as error:
            return look._replace(damage=str(error), newer="newer shipper" in str(error))


def holder_of(state_dir: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """Return the process that holds the lock, 0 where it does not say its number; None for none.

    The kernel's table is asked: an agent that starts while we tried the lock would find the folder taken.
    """
    try:
        inode = (state_dir / files.LOCK).stat().st_ino
        rows = [line.split() for line in locks.read_text(encoding="ascii").splitlines()]
        # By inode alone: on btrfs and overlayfs the table names another device than stat does.
        if not any("FLOCK" in row and row[5].rpartition(":")[2] == str(inode) for row in rows if len(row) > 5):
            return None
        text = (state_dir / files.LOCK).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else 0


def lives_of(state_dir: Path) -> list[Life]:
    """Return every row as it was saved last; none where no agent has run.

    Raises:
        StateDamaged: The store cannot be used; nothing was touched.
        StateError: It cannot be read, or a newer version wrote it.
    """
    with files.map_os_errors(state_dir), _reading(state_dir) as database:
        return [] if database is None else [from_row(row) for row in database.execute(SELECT)]


def _count(state_dir: Path) -> int:
    with _reading(state_dir) as database:
        count: int = 0 if database is None else database.execute("SELECT count(*) FROM lives").fetchone()[0]
        return count


@contextmanager
def _reading(state_dir: Path) -> Iterator[sqlite3.Connection | None]:
    path = state_dir / files.DATABASE
    if not path.exists():
        if files.aside_before(state_dir) is not None or (state_dir / files.GOOD_COPY).exists():
            raise StateDamaged(f"{path}: missing")
        yield None
        return
    if not files.begins_with(path, schema.MAGIC):
        raise StateDamaged(f"{path}: damaged: not a database")
    # Without a write-ahead log everything is in the one file, and SQLite needs no side files, which it would leave
    # behind, and which would be root's. With one, they are there already.
    sides = (path.with_name(path.name + side) for side in ("-wal", "-shm"))
    how = "mode=ro" if any(side.exists() for side in sides) else "mode=ro&immutable=1"
    with schema.map_errors(path), closing(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, timeout=5)) as db:
        schema.check(db, path)
        yield db


def _copied_at(state_dir: Path) -> float | None:
    copy = state_dir / files.GOOD_COPY
    return copy.stat().st_mtime if copy.exists() else None


def _set_aside(state_dir: Path) -> tuple[str, ...]:
    found = [path for word in ("damaged", "replaced") for path in state_dir.glob(f"{files.DATABASE}.{word}-*")]
    found = [path for path in found if not path.name.endswith(("-wal", "-shm", "-journal"))]
    return tuple(path.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True))
