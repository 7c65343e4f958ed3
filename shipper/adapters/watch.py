"""Change events of directories: a hint of what to look at, never how we learn that something changed.

watchdog coalesces under load, is silent on network file systems, and its
thread can die while the process looks alive. So events only go into a bounded
set of paths; directories that cannot be watched are named once, with the
mend; and a canary file shows whether the observer works (peers page, 15 to 20).
"""

from __future__ import annotations

import errno
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirModifiedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)  # fmt: skip
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

MOST_DIRTY: Final = 10_000
CANARY: Final = "canary"
STOP_SECONDS: Final = 2.0
SILENT_FILE_SYSTEMS: Final = frozenset(
    (
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "gfs2",
        "ocfs2", "orangefs", "fuse", "fuseblk", "sshfs", "davfs", "vboxsf", "prl_fs", "drvfs", "virtiofs",
    )
)  # fmt: skip
"""Changes made elsewhere give no events here, and some give none at all."""

DOUBTFUL_FILE_SYSTEMS: Final = frozenset(("", "overlay", "aufs", "unionfs"))
"""Some changes give no events (below an overlay, through another mount): trusted where one was heard."""

_OCTAL: Final = re.compile(r"\\([0-7]{3})")  # as mountinfo writes blanks
_UNTIL_SOMETHING_IS_RAISED: Final = frozenset((errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
_Identity = tuple[int, int]

_WATCHDOG: Final = logging.getLogger("watchdog")
_WANTED: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent, DirCreatedEvent, DirMovedEvent,
    DirDeletedEvent,
]  # fmt: skip


class _Handler(FileSystemEventHandler):
    """Collects paths; called on watchdog's thread."""

    def __init__(self, note: Callable[[str, bool], None]) -> None:
        self._note = note

    def dispatch(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirModifiedEvent):
            return
        content = isinstance(event, FileModifiedEvent)
        self._note(os.fsdecode(event.src_path), content)
        if event.dest_path:
            self._note(os.fsdecode(event.dest_path), False)


class _Overflow(logging.Handler):
    """Hears that the kernel has thrown events away: watchdog logs it, and sends no event."""

    def __init__(self, note: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._note()


class Watcher:
    """Owns the observer and what it has said since `take`.

    Attributes:
        polled: Directory to the reason why no events can be had of it.
        restarts: How often the observer was dead or silent.
        canary_heard: Whether the last touch of the canary file was heard of.
    """

    def __init__(self, state_dir: Path, wake: Callable[[], None]) -> None:
        """*wake* is called from another thread when there is something to take."""
        self.polled: dict[str, str] = {}
        self._canary = state_dir / CANARY
        self._wake = wake
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._structure: set[str] = set()
        self._everything = False
        self.canary_heard = True
        self._watches: dict[str, tuple[ObservedWatch, _Identity | None]] = {}
        self._doubtful: set[str] = set()
        self._heard: set[str] = set()
        self._observer: BaseObserver | None = None
        self._silent = False
        self._overflow = _Overflow(self._note_everything)
        self.restarts = 0

    @property
    def trusted(self) -> bool:
        """Whether events may be expected of every directory, so that scans need not come often."""
        return not self.polled and not self._silent and self._doubtful <= self._heard

    def start(self) -> None:
        """Begin to watch; directories are named by `cover`."""
        _WATCHDOG.addHandler(self._overflow)
        self._observer = Observer()
        self._observer.start()
        self._watches = {}
        self._add(str(self._canary.parent))

    def stop(self) -> None:
        """End the observer's threads; what of them does not end in time is left behind."""
        _WATCHDOG.removeHandler(self._overflow)
        observer, self._observer = self._observer, None
        if observer is not None:
            # watchdog waits without end for a thread that has died in the middle of something.
            stopping = threading.Thread(target=_stop, args=(observer,), daemon=True)
            stopping.start()
            stopping.join(STOP_SECONDS)

    def cover(self, directories: set[str]) -> set[str]:
        """Watch exactly *directories*; return those that are newly watched and must be listed once more."""
        wanted = directories | {str(self._canary.parent)}
        for path, (_, identity) in list(self._watches.items()):
            # Removed and made again, a directory has its old name and no watch.
            if path not in wanted or identity != _identity(path):
                self._drop(path)
        self._doubtful &= wanted
        self._heard &= wanted
        self.polled = {path: reason for path, reason in self.polled.items() if path in wanted}
        return {path for path in wanted - self._watches.keys() - self.polled.keys() if self._add(path)}

    def take(self) -> tuple[set[str], bool]:
        """Return the paths whose content changed, and whether a scan is due: names came or went, or too many."""
        with self._lock:
            changed, self._changed = self._changed, set()
            structure, self._structure = self._structure, set()
            everything, self._everything = self._everything, False
        return changed, bool(structure) or everything

    @property
    def runs(self) -> bool:
        """Whether every thread of the observer is there: its own, and one for each directory."""
        observer = self._observer
        return observer is not None and observer.is_alive() and all(one.is_alive() for one in observer.emitters)

    def restart(self) -> None:
        """Give the observer up and begin anew; `cover` watches the directories again."""
        self.restarts += 1
        self.stop()
        self.polled.clear()
        self.start()

    def prove_alive(self) -> bool:
        """Touch the canary; return False, and restart the observer, where the last touch was not heard of."""
        alive = self.canary_heard and self.runs
        self._silent = not alive
        if not alive:
            self.restart()
        self.canary_heard = str(self._canary.parent) in self.polled
        try:
            self._canary.write_text(f"{time.time():.0f}\n", encoding="ascii")
            self._canary.chmod(0o600)
            if os.geteuid() == 0:  # started by hand: the service, not root, touches it next
                owner = self._canary.parent.stat()
                os.chown(self._canary, owner.st_uid, owner.st_gid)
        except OSError:  # a full disk must not make us restart the observer for ever
            self.canary_heard = True
        return alive

    # -- on watchdog's thread --------------------------------------------------------------------

    def _note(self, path: str, content: bool) -> None:
        directory, _, name = path.rpartition("/")
        if directory == str(self._canary.parent):
            self.canary_heard = self.canary_heard or name == CANARY
            return
        with self._lock:
            quiet = not self._changed and not self._structure and not self._everything
            kept = self._changed if content else self._structure
            if len(kept) < MOST_DIRTY:
                kept.add(path)
            else:
                self._everything = True
            self._heard.add(directory)
        if quiet:
            self._wake()

    def _note_everything(self) -> None:
        with self._lock:
            self._everything = True
        self._wake()

    # -- watches -----------------------------------------------------------------------------------

    def _add(self, path: str) -> bool:
        kind = file_system_of(path)
        if is_far(kind):
            self.polled[path] = f"{kind} has no change events"
            return False
        if self._observer is None:
            return False
        identity = _identity(path)
        try:
            watch = self._observer.schedule(
                _Handler(self._note), path, recursive=False, event_filter=_WANTED, follow_symlink=True
            )
        except OSError as error:
            if error.errno in _UNTIL_SOMETHING_IS_RAISED:
                self.polled[path] = _limit(error)
            return False  # else it is tried again with the next scan
        self._watches[path] = (watch, identity)
        if kind in DOUBTFUL_FILE_SYSTEMS:
            self._doubtful.add(path)
        return True

    def _drop(self, path: str) -> None:
        watch, _ = self._watches.pop(path)
        if self._observer is not None:
            try:
                self._observer.unschedule(watch)
            except (KeyError, OSError):  # the directory is gone, and its watch with it
                return


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    observer.join()


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _limit(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no inotify watches left: sysctl -w fs.inotify.max_user_watches=524288"
    if error.errno == errno.EMFILE:
        return "no inotify instances left: sysctl -w fs.inotify.max_user_instances=1024"
    return os.strerror(error.errno or 0)


def is_far(kind: str) -> bool:
    """Return whether a file system of that type may be elsewhere: silent about changes there, and dead if that is."""
    return kind in SILENT_FILE_SYSTEMS or kind.startswith("fuse.")


def file_system_of(path: str) -> str:
    """Return the type of the file system that *path* lies on; empty where that cannot be told."""
    try:
        return type_of_device(os.stat(path).st_dev)
    except OSError:
        return ""


def far_mount_of(path: str) -> str:
    """Return where the file system is mounted that *path* lies on, by its name alone, if it is far; else nothing."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    found, kind = "", ""
    for line in text.splitlines():
        fields = line.split()
        place = _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4])
        if len(place) >= len(found) and (path == place or path.startswith(place.rstrip("/") + "/")):
            found, kind = place, fields[fields.index("-") + 1]
    return found if is_far(kind) else ""


def type_of_device(device: int) -> str:
    """Return the type of the file system with that number, which is not asked itself; empty where nothing tells."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in reversed(text.splitlines()):
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return ""
