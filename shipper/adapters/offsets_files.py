"""The state directory as files: its lock, private files, durable renames, what is set aside.

It owns the names in the directory and the order of sync and rename; it knows
nothing of SQL. Every name that is made here belongs to the directory's owner:
an operator who looks at the state as root must not lock the agent out.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import pwd
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shipper.errors import StateError, StateLocked

DATABASE: Final = "offsets.db"
GOOD_COPY: Final = "offsets.db.good"
UNFINISHED: Final = "offsets.db.new"
LOCK: Final = "lock"
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


class StateLock:
    """The state directory is ours until `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        """Keep *descriptor*: closing it is what gives the lock up."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, state_dir: Path, within: Path | None = None) -> StateLock:
        """Make the directory where it is missing and lock it; it is a part of the state directory *within*, if given.

        Raises:
            StateLocked: Another process holds it; named with its pid.
            StateError: The directory cannot be made or written.
        """
        try:
            make_private_directory(state_dir)
            descriptor = open_private(state_dir / LOCK)
        except OSError as error:
            whole = within or state_dir
            raise StateError(f"state_dir {whole}: {error.strerror or error}{_mend(error, whole)}") from error
        try:
            _lock(descriptor, state_dir)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Give the directory up; the file stays: removing it would race with the next to take it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _mend(error: OSError, state_dir: Path) -> str:
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ""
    elsewhere = "name another folder in state_dir"
    if error.errno == errno.EROFS:
        return f"; {elsewhere}"
    owner = _who_has(state_dir)
    if owner is not None:
        return f"; {elsewhere}, or run this as {owner}, who has this one"
    user = _user_name(os.geteuid())
    return f"; {elsewhere}, or let root run: install -d -o {user} -m 0700 {shlex.quote(str(state_dir))}"


def _who_has(state_dir: Path) -> str | None:
    """Return who owns *state_dir*, or the folder above it that is shut to us; None where it is to be made yet."""
    for place in (state_dir, *state_dir.parents):
        try:
            status = place.stat()
        except OSError:
            continue
        shut = not os.access(place, os.X_OK, effective_ids=True)
        return _user_name(status.st_uid) if (place == state_dir or shut) and status.st_uid != os.geteuid() else None
    return None


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _lock(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise StateLocked(
            f"{state_dir}: held by process {holder}; one agent per state_dir: stop that one, or give this one its own"
        ) from None
    except OSError as error:
        raise StateError(f"{state_dir / LOCK}: cannot be locked: {error.strerror}") from error
    with map_os_errors(state_dir / LOCK):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


@contextmanager
def map_os_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StateError` that names *path* and what the system said."""
    try:
        yield
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}") from error


def open_private(path: Path, flags: int = 0) -> int:
    """Open *path* for reading and writing, making it with mode 0600; return the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def make_private_directory(directory: Path) -> None:
    """Make *directory* where it is missing, with mode 0700; one inside an agent's directory is its owner's too."""
    if directory.is_dir():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = directory.parent.stat()
        os.chown(directory, owner.st_uid, owner.st_gid)


def sync_directory(directory: Path) -> None:
    """Make the names in *directory* durable: after a power cut the old ones may be back otherwise."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(new: Path, name: str) -> Path:
    """Give the finished file *new* its *name*, durably; the file under that name before is gone."""
    place = new.with_name(name)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(place)
    sync_directory(place.parent)
    return place


def start_unfinished(state_dir: Path, content: Path | None = None) -> Path:
    """Return an empty private file for a database in the making, or one with a copy of *content*.

    A database gets its real name only when it is whole: so an ``offsets.db``
    without bytes is always damage and never our own unfinished start.
    """
    unfinished = state_dir / UNFINISHED
    for side in ("", *_SIDE_FILES):
        unfinished.with_name(UNFINISHED + side).unlink(missing_ok=True)
    with os.fdopen(open_private(unfinished, os.O_EXCL), "wb") as out:
        if content is not None:
            with content.open("rb") as source:
                shutil.copyfileobj(source, out)
    return unfinished


def begins_with(path: Path, magic: bytes) -> bool:
    """Whether the file's first bytes are these."""
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def set_aside(state_dir: Path, now_ms: int, word: str = "damaged") -> str | None:
    """Rename the database and its side files so that nothing overwrites them; return the new name.

    The write-ahead log must go with it: SQLite would apply what is left of it
    to whichever file stands under the database's name next.
    """
    sides = ("", *_SIDE_FILES)
    present = [side for side in sides if (state_dir / (DATABASE + side)).exists()]
    if not present:
        return None
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{DATABASE}.{word}-{stamp}" + (f".{turn}" if turn else "") for turn in itertools.count())
    name = next(name for name in names if not any((state_dir / (name + side)).exists() for side in sides))
    for side in present:
        (state_dir / (DATABASE + side)).rename(state_dir / (name + side))
    sync_directory(state_dir)
    return name


def aside_before(state_dir: Path) -> str | None:
    """Return the name of the newest database that was set aside here, if one is left."""
    names = [path for word in ("damaged", "replaced") for path in state_dir.glob(f"{DATABASE}.{word}-*")]
    return max(names, key=lambda path: path.stat().st_mtime_ns).name if names else None


def is_unused(state_dir: Path) -> bool:
    """Whether nothing but the lock stands here: no letters, spill or database of an earlier life."""
    return all(path.name == LOCK or path.name.startswith(UNFINISHED) for path in state_dir.iterdir())


def age_text(path: Path) -> str:
    """Return when *path* was written, to the minute."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
