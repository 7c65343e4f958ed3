"""A peer's configuration as agent.yaml, with a note for every value of it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from shipper.config.translate import filebeat, fluent_bit, promtail, vector
from shipper.config.translate.common import Given, Note, settle_paths, written
from shipper.config.translate.trees import tree
from shipper.errors import UsageError

__all__ = ["Note", "Translation", "translate"]

_PEERS = {
    "filebeat": filebeat.sources,
    "fluent_bit": fluent_bit.sources,
    "promtail": promtail.sources,
    "vector": vector.sources,
}


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer's configuration became.

    Attributes:
        peer: filebeat, fluent_bit, promtail or vector.
        yaml: The text of an agent.yaml.
        notes: What became of each value, by line.
    """

    peer: str
    yaml: str
    notes: list[Note]


def translate(path: Path) -> Translation:
    """Return the configuration *path* of a peer as agent.yaml.

    Raises:
        UsageError: it cannot be read, is no peer's, or reads no files.
    """
    root = Given(tree(path), (), {}, 1, path)
    peer = _peer(root)
    if peer is None:
        raise UsageError(f"{path}: is no configuration of Filebeat, Fluent Bit, Promtail or Vector")
    drafts = _PEERS[peer](root)
    root.leave_rest()
    kept = settle_paths(drafts, root.notes)
    if not kept:
        raise UsageError(f"{path}: names no files to read; shipper reads files only")
    notes = sorted(root.notes.values(), key=lambda note: (note.file != str(path), note.file, note.line))
    return Translation(peer=peer, yaml=written(kept, path.name), notes=notes)


def _peer(root: Given) -> str | None:
    keys = {re.split(r"[.#]", key)[0] for key, _ in root.entries()}
    if keys & {"scrape_configs"}:
        return "promtail"
    if keys & {"filebeat"} or any(one.get("module") or one.get("type") for one in root.items() if one.path):
        return "filebeat"
    if keys & {"pipeline", "INPUT", "SERVICE", "@include"} or {"service", "includes"} <= keys:
        return "fluent_bit"
    return "vector" if "sources" in keys and keys & {"sinks", "transforms", "data_dir"} else None
