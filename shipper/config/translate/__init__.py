"""A peer's configuration as agent.yaml, with a note for every value of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from shipper.config.problems import Problems
from shipper.config.translate import filebeat, fluent_bit, promtail, vector
from shipper.config.translate.common import Given, Note, settle_paths, written
from shipper.config.yaml_tree import Entry, Mapping, Node, Scalar, Sequence, parse
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    root = Given(_tree(path, text), (), {}, 1)
    peer = _peer(root)
    if peer is None:
        raise UsageError(f"{path}: is no configuration of Filebeat, Fluent Bit, Promtail or Vector")
    drafts = _PEERS[peer](root)
    root.leave_rest()
    places = [one for one in root.leaves() if root.notes[one.path].text == "paths" and one.path[-1] != "type"]
    kept = settle_paths(drafts, places)
    if not kept:
        raise UsageError(f"{path}: names no files to read; shipper reads files only")
    notes = sorted(root.notes.values(), key=lambda note: note.line)
    return Translation(peer=peer, yaml=written(kept, path.name), notes=notes)


def _peer(root: Given) -> str | None:
    keys = {key.partition(".")[0] for key, _ in root.entries()}
    if keys & {"scrape_configs"}:
        return "promtail"
    if keys & {"filebeat"} or any(one.get("module") for one in root.items() if one.path):
        return "filebeat"
    if keys & {"pipeline", "INPUT"}:
        return "fluent_bit"
    return "vector" if "sources" in keys and keys & {"sinks", "transforms", "data_dir"} else None


def _tree(path: Path, text: str) -> Node:
    if path.suffix == ".toml":
        try:
            return _toml_node(tomllib.loads(text), text.splitlines(), "", 1)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path}: not TOML: {error}") from None
    if path.suffix in {".conf", ".cfg"}:
        return fluent_bit.classic_tree(text)
    problems = Problems(str(path))
    root = parse(text, problems)
    if root is None or problems.lines():
        raise UsageError("\n".join(problems.lines()) or f"{path}: is empty")
    return root


def _toml_node(value: object, lines: list[str], key: str, line: int) -> Node:
    # tomllib keeps no lines: a key is looked for below the line of its table.
    if isinstance(value, dict):
        entries = list[Entry]()
        for name, one in value.items():
            at = next((n for n in range(line, len(lines) + 1) if _names(lines[n - 1], key, name)), line)
            entries.append(Entry(at, name, _toml_node(one, lines, f"{key}.{name}".lstrip("."), at)))
        return Mapping(line, tuple(entries))
    if isinstance(value, list):
        return Sequence(line, tuple(_toml_node(one, lines, key, line) for one in value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(line, text, is_plain=not isinstance(value, str))


def _names(text: str, table: str, name: str) -> bool:
    bare = text.strip().replace('"', "")
    return bare.startswith((f"[{table}.{name}".replace("[.", "["), f"[[{table}.{name}".replace("[.", "["))) or (
        bare.partition("=")[0].strip() == name
    )
