"""YAML text as a tree that remembers its lines.

The only module that sees YAML. It composes with the safe loader (nothing in a
file can make an object), refuses duplicate keys, tags of its own and more than
one document, and resolves aliases and merge keys (`<<`). Values stay text:
decode.py turns them into what a key asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import yaml

from shipper.config.problems import KeyPath, Problems

_CORE_TAG: Final = "tag:yaml.org,2002:"
_MERGE_TAG: Final = _CORE_TAG + "merge"
_SCALAR_TAGS: Final = {"str", "int", "float", "bool", "null", "timestamp", "value"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; *is_plain* means without quotes, *reference* is the text that something was put in for."""

    line: int
    text: str
    is_plain: bool
    reference: str | None = None

    @property
    def written(self) -> str:
        """The value as it stands in the file, for messages."""
        return self.text if self.reference is None else self.reference

    @property
    def is_null(self) -> bool:
        """Whether nothing is given: an empty value, `~` or `null`."""
        return self.is_plain and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; *line* is the key's."""

    line: int
    key: str
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in file order."""

    line: int
    entries: tuple[Entry, ...]


Node = Scalar | Sequence | Mapping


def parse(text: str, problems: Problems) -> Node | None:
    """Return the tree of *text*; None where it is not one YAML document, which *problems* then says."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add((), _syntax_text(error), line=mark.line + 1 if mark else 1)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        problems.add((), f"the character U+{int(error.character):04X} has no place in YAML; take it away", line=line)
        return None
    except RecursionError:
        problems.add((), "is nested too deeply", line=1)
        return None
    return _Builder(problems).node(root, ()) if root is not None else Mapping(1, ())


def line_of(root: Node, path: KeyPath) -> int:
    """Return the line of the value at *path*, or of the last part of the way that exists."""
    node, line = root, root.line
    for step in path:
        if isinstance(node, Mapping):
            entry = next((entry for entry in node.entries if entry.key == step), None)
            if entry is None:
                return line
            node, line = entry.value, entry.value.line if isinstance(entry.value, Scalar) else entry.line
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            return line
    return line


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    said = [part for part in (error.context, error.problem) if part]
    hint = ""
    if error.problem and "'\\t'" in error.problem:
        hint = "; YAML is indented with spaces, not tabs"
    elif error.problem and "expected a single document" in (error.context or ""):
        hint = "; take the second '---' away"
    elif error.problem and "mapping values are not allowed" in error.problem:
        hint = "; put the value in quotes, or mend the indentation"
    elif error.problem and "unknown escape character" in error.problem:
        hint = "; write patterns in single quotes"
    return f"not YAML: {', '.join(said)}{hint}"


class _Builder:
    """Turns PyYAML's nodes into ours; owns the path of aliases under way."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._under_way: set[int] = set()

    def node(self, raw: yaml.Node, path: KeyPath) -> Node:
        line = raw.start_mark.line + 1
        if id(raw) in self._under_way:
            self._problems.add(path, "an alias leads back to itself; write the value out", line=line)
            return Scalar(line, "", is_plain=True)
        self._under_way.add(id(raw))
        try:
            return self._node(raw, path, line)
        finally:
            self._under_way.discard(id(raw))

    def _node(self, raw: yaml.Node, path: KeyPath, line: int) -> Node:
        if isinstance(raw, yaml.MappingNode):
            self._check_tag(raw, path, {"map"}, line)
            return self._mapping(raw, path, line)
        if isinstance(raw, yaml.SequenceNode):
            self._check_tag(raw, path, {"seq"}, line)
            return Sequence(line, tuple(self.node(item, (*path, i)) for i, item in enumerate(raw.value)))
        self._check_tag(raw, path, _SCALAR_TAGS, line)
        return Scalar(line, str(raw.value), is_plain=raw.style is None)

    def _check_tag(self, raw: yaml.Node, path: KeyPath, known: set[str], line: int) -> None:
        if raw.tag.removeprefix(_CORE_TAG) not in known:
            tag = raw.tag.replace(_CORE_TAG, "!!")
            self._problems.add(path, f"the tag {tag!r} has no meaning here; take it away", line=line)

    def _mapping(self, raw: yaml.MappingNode, path: KeyPath, line: int) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        for raw_key, raw_value in raw.value:
            key_line = raw_key.start_mark.line + 1
            if not isinstance(raw_key, yaml.ScalarNode):
                self._problems.add(path, "a key must be a single word or text", line=key_line)
            elif raw_key.tag == _MERGE_TAG:
                merged += self._merged(raw_value, path, key_line)
            elif (key := str(raw_key.value)) in entries:
                first = entries[key].line
                text = f"is given a second time (first on line {first}); keep one of them"
                self._problems.add((*path, key), text, line=key_line)
            else:
                entries[key] = Entry(key_line, key, self.node(raw_value, (*path, key)))
        for entry in (entry for mapping in merged for entry in mapping.entries):
            entries.setdefault(entry.key, replace(entry))
        return Mapping(line, tuple(entries.values()))

    def _merged(self, raw: yaml.Node, path: KeyPath, line: int) -> list[Mapping]:
        node = self.node(raw, path)
        nodes = node.items if isinstance(node, Sequence) else (node,)
        found = [one for one in nodes if isinstance(one, Mapping)]
        if len(found) != len(nodes):
            self._problems.add((*path, "<<"), "only mappings can be merged", line=line)
        return found
