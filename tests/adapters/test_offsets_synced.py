"""Of an agent's commits just those writes and names are kept that were synced: what it said was saved is there.

A child commits under strace; the trace is replayed on a model of a disk that
has lost everything else, at each moment at which the child had said a turn.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import OffsetStore
from shipper.adapters.spill import Spill
from shipper.core.ledger_audit import audit
from shipper.core.model import FileKey
from tests.patience import PATIENCE_SECONDS

NOW_MS = 1_795_464_000_000
TURNS = 12
CHILD = f"""
import os, sys
from pathlib import Path
from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import Life, OffsetStore
from shipper.core.ledger import Entry
from shipper.adapters.spill import Origin, Spill
from shipper.core.letters import DeadLetter

state_dir = Path(sys.argv[1])
store = OffsetStore.open(state_dir, now_ms={NOW_MS})
store.letters = DeadLetters.open(state_dir, 1 << 30, "stop")
spill = Spill(state_dir, 1 << 20)
origin = Origin(file_id=2, generation=0, lineage=2, source="s", path=b"/b", device=1, inode=2, mtime_ns=0)
for turn in range(1, {TURNS} + 1):
    life = Life(file_id=1, generation=0, source="s", path="/a", device=1, inode=1, offset=turn)
    entry = Entry(turn - 1, turn, read=1, acked=0, batch=turn, rest={{"dead_rejected": 1}})
    letter = DeadLetter(at="", source="s", path="/a", file_id=1, generation=0, start=turn - 1, end=turn,
                        reason="rejected", event={{"content": "x" * 300}})
    store.commit([life], letters=[letter], spans=[(life.key, entry)])
    if turn % 5 == 0:
        store.backup()
    spill.write(origin, turn - 1, b"y")
    os.write(1, b"%d\\n" % turn)
"""
_CALL = re.compile(rb"(\w+)\((.*)\) += (-?\d+)")
_DESCRIPTOR = re.compile(rb"\d+<([^>]*)>(?:\(deleted\))?")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class Inode:
    """A file's bytes: as written, and as synced."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.synced = b""


class Disk:
    """Names and bytes below one directory, as written and as synced; the strictest disk that POSIX allows."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        self.synced_names: dict[str, Inode] = {}

    def play(self, call: str, args: list[bytes]) -> None:
        """Let one system call of the child happen."""
        if call in ("rename", "renameat", "renameat2"):
            old, new = [name for name in map(_text, args) if name.startswith("/")]
            if old in self.names:
                self.names[new] = self.names.pop(old)
        elif call in ("unlink", "unlinkat"):
            self.names.pop(next(name for name in map(_text, args) if name.startswith("/")), None)
        elif call in ("openat", "open") and b"O_CREAT" in b"".join(args):
            name = next(name for name in map(_text, args) if name.startswith("/"))
            self.names.setdefault(name, Inode())
        elif found := _DESCRIPTOR.fullmatch(args[0]):
            self._on_descriptor(call, _text(found[1]), args)

    def _on_descriptor(self, call: str, name: str, args: list[bytes]) -> None:
        if call in ("fsync", "fdatasync"):
            if name in self.names:
                self.names[name].synced = bytes(self.names[name].written)
            # Of a directory the names in it become durable; in a file there are none.
            others = {path: inode for path, inode in self.synced_names.items() if path.rpartition("/")[0] != name}
            within = {path: inode for path, inode in self.names.items() if path.rpartition("/")[0] == name}
            self.synced_names = others | within
            return
        inode = self.names.setdefault(name, Inode())
        if call == "ftruncate":
            size = int(args[1])
            inode.written = inode.written[:size] + bytes(max(size - len(inode.written), 0))
        elif call in ("pwrite64", "write"):
            data = bytes.fromhex(args[1].strip(b'".').replace(b"\\x", b"").decode())
            at = int(args[3]) if call == "pwrite64" else len(inode.written)
            inode.written += bytes(max(at + len(data) - len(inode.written), 0))
            inode.written[at : at + len(data)] = data

    def lay_out(self, source: Path, target: Path) -> Path:
        """Write what is synced of *source* to *target*."""
        for name, inode in self.synced_names.items():
            if name.startswith(f"{source}/"):
                place = target / Path(name).relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(inode.synced)
        return target


def _text(raw: bytes) -> str:
    raw = raw.strip(b'"')
    return bytes.fromhex(raw.replace(b"\\x", b"").decode()).decode() if raw.startswith(b"\\x") else raw.decode()


def said_turns(trace: Path, disk: Disk) -> Iterator[int]:
    """Play the trace on *disk*; give each turn at the moment at which the child says it."""
    for line in trace.read_bytes().splitlines():
        found = _CALL.search(line)
        if found is None or found[3].startswith(b"-"):
            continue
        call, args = found[1].decode(), found[2].split(b", ")
        if call == "write" and args[0].startswith(b"1<"):
            yield int(bytes.fromhex(args[1].strip(b'"').replace(b"\\x", b"").decode()))
        else:
            disk.play(call, args)


def offset_in(copy: Path) -> int:
    """Return the offset that a good copy holds; 0 where there is none yet."""
    if not copy.exists():
        return 0
    with closing(sqlite3.connect(copy)) as database:
        offset: int = database.execute('SELECT "offset" FROM lives').fetchone()[0]
        return offset


@needs_strace
def test_what_was_said_to_be_saved_stands_in_synced_bytes_under_synced_names(tmp_path: Path) -> None:
    state_dir, trace = tmp_path / "state", tmp_path / "trace"
    calls = "openat,open,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"
    subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "200000", "-e", f"trace={calls}", "-o", str(trace),
         sys.executable, "-c", CHILD, str(state_dir)],
        check=True, stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    disk = Disk()
    disk.synced_names[str(state_dir / "lock")] = Inode()

    turns = []
    for turn in said_turns(trace, disk):
        left = disk.lay_out(state_dir, tmp_path / f"left-{turn}")
        store = OffsetStore.open(left, now_ms=NOW_MS)
        (life,) = store.load()
        letters = DeadLetters.open(left, 1 << 30, "stop")
        assert (life.offset, store.recovered) == (turn, None)
        assert audit(store.spans(life.key), turn) == []
        assert sorted(letter.start for letter in letters.list()) == list(range(turn))
        assert Spill(left, 1 << 20).span(FileKey(2, 0)) == (0, turn)
        assert Spill(left, 1 << 20).read(FileKey(2, 0), turn - 1, 10).data == b"y"
        assert offset_in(left / "offsets.db.good") == turn // 5 * 5
        store.close()
        turns.append(turn)

    assert turns == list(range(1, TURNS + 1))
