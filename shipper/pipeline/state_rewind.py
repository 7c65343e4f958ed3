"""Rows of the offset store that an operator points at, and where a rewound one starts again.

It finds rows by id or path and moves offsets to the start of a line. When the
running agent lets go of a file and takes it up again is not decided here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from shipper.adapters.offsets import Life, LifeState
from shipper.core.identity import GUARD_BYTES, NO_GUARD, Guard, guard_of
from shipper.core.model import Carry
from shipper.errors import UsageError

Target = int | Literal["start", "end"]

_LOOK_BACK_BYTES: Final = 1 << 20
ID: Final = re.compile(r"(\d+)(?:\.(\d+))?")
_SKIPPED: Final = "skipped_bytes"


def printable(path: str) -> str:
    """Return *path* with backslash escapes for what is not Unicode."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find(lives: Sequence[Life], name: str) -> list[Life]:
    """Return the rows that *name* means: ``12`` all lives of a file, ``12.0`` one of them, else a path's.

    Raises:
        UsageError: There is none.
    """
    number = ID.fullmatch(name)
    if number:
        file_id, generation = int(number[1]), number[2]
        found = [
            life
            for life in lives
            if life.file_id == file_id and (generation is None or life.generation == int(generation))
        ]
    else:
        found = [life for life in lives if name in {life.path, printable(life.path)}]
    if not found:
        raise UsageError(f"{name}: not in the offset store; see 'shipper state list'")
    return found


def find_one(lives: Sequence[Life], name: str) -> Life:
    """Return the row that *name* means: of a file its newest life, of a path the file followed there.

    Raises:
        UsageError: There is none, or more than one file; their ids are named.
    """
    newest = {life.file_id: life for life in sorted(find(lives, name), key=lambda life: life.generation)}
    if len(newest) > 1:
        followed = {key: life for key, life in newest.items() if life.state is LifeState.FOLLOWING}
        newest = followed or newest
    if len(newest) > 1:
        ids = ", ".join(f"{life.file_id}.{life.generation}" for life in newest.values())
        raise UsageError(f"{name}: means several files: {ids}; give an id")
    return next(iter(newest.values()))


def rewound(life: Life, target: Target, now_ms: int) -> Life:
    """Return *life* as it goes on from *target*; a middle of a line is moved back to its start.

    The frontier guard is taken anew, or dropped where the file cannot be read.
    Bytes that are skipped by moving forwards are counted: they are lost on
    purpose.

    Raises:
        UsageError: The target is outside of the file.
    """
    size, content = _present(life)
    offset = {"start": 0, "end": size}.get(target, 0) if isinstance(target, str) else target
    if not 0 <= offset <= size:
        raise UsageError(f"{printable(life.path)}: offset {offset} is outside of its {size} bytes")
    carry = msgspec.json.decode(life.carry, type=Carry) if life.carry else Carry()
    try:
        offset = _line_start(content, offset, carry.encoding)
        guard = _guard(content, offset)
    finally:
        if content is not None:
            os.close(content)
    carry = msgspec.structs.replace(carry, part=None, stamp_ms=None) if offset else Carry()
    counters = dict(life.counters)
    if offset > life.offset:
        counters[_SKIPPED] = counters.get(_SKIPPED, 0) + offset - life.offset
    finished = life.state is LifeState.DONE and offset < size
    return msgspec.structs.replace(
        life,
        offset=offset,
        guard_length=guard.length,
        guard_digest=guard.digest,
        carry=msgspec.json.encode(carry),
        counters=counters,
        state=LifeState.DRAINING if finished else life.state,
        changed_ms=now_ms,
    )


def _present(life: Life) -> tuple[int, int | None]:
    """Return the size that counts and, where the path still leads to this very file, a descriptor of it."""
    try:
        content = os.open(life.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return life.size, None
    status = os.fstat(content)
    if (status.st_dev, status.st_ino) == (life.device, life.inode):
        return status.st_size, content
    os.close(content)
    return life.size, None


def _guard(content: int | None, offset: int) -> Guard:
    if content is None:
        return NO_GUARD
    begin = max(0, offset - GUARD_BYTES)
    return guard_of(os.pread(content, offset - begin, begin))


def _line_start(content: int | None, offset: int, encoding: str) -> int:
    """Return the start of the line that *offset* stands in; in wide encodings only that of the character."""
    wide = next((width for name, width in (("utf-16", 2), ("utf-32", 4)) if encoding.startswith(name)), 1)
    if wide > 1:
        return offset - offset % wide
    if content is None:
        return offset
    window = max(0, offset - _LOOK_BACK_BYTES)
    before = os.pread(content, offset - window, window)
    newline = before.rfind(b"\n")
    return window + newline + 1 if newline >= 0 or window == 0 else offset
