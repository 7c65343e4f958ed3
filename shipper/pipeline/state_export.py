"""Rows of the offset store on their way out and back: as an operator sees them, exported, restored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from shipper.adapters.offsets import Decision, Life, restore_copy, restore_lives
from shipper.core.timestamps import utc_text
from shipper.errors import UsageError

Result = dict[str, object]


class Export(msgspec.Struct):
    """The rows as a file that can be restored from."""

    format: Literal["shipper-state"]
    version: Literal[1]
    exported: str
    lives: list[Life]


def export_view(lives: Sequence[Life], now_ms: int) -> object:
    """Return the rows as what `restore` takes, in plain JSON values."""
    export = Export(format="shipper-state", version=1, exported=utc_text(now_ms), lives=list(lives))
    return msgspec.to_builtins(export)


def restore(state_dir: Path, file: Path | None, now_ms: int) -> str | None:
    """Put the rows of *file* (an export or a copy of a database), else of the good copy, in place of these.

    Returns:
        The name under which the present database was set aside, None where there was none.

    Raises:
        StateLocked: An agent runs on *state_dir*.
        StateError: The copy is not sound; nothing was touched.
        UsageError: *file* is no export, or cannot be read.
    """
    if file is None:
        return restore_copy(state_dir, None, now_ms)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    if content.startswith(b"SQLite format 3\0"):
        return restore_copy(state_dir, file, now_ms)
    try:
        export = msgspec.convert(json.loads(content), Export)
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"{file}: neither an export nor a copy of a database: {error}") from error
    return restore_lives(state_dir, export.lives, now_ms)


def life_view(life: Life) -> Result:
    """Return a row as the operator sees it."""
    return {
        "id": f"{life.file_id}.{life.generation}",
        "source": life.source,
        "path": life.path,
        "offset": life.offset,
        "size": life.size,
        "state": life.state.value,
        "changed": utc_text(life.changed_ms),
        "born": utc_text(life.born_ms),
        "device": life.device,
        "inode": life.inode,
        "counters": life.counters,
    }


def decision_view(decision: Decision) -> Result:
    """Return an entry of a file's decision log as the operator sees it."""
    return {
        "id": f"{decision.file_id}.{decision.generation}",
        "at": utc_text(decision.at_ms),
        "what": decision.what,
        "evidence": decision.evidence,
    }
