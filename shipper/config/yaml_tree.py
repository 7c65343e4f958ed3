"""YAML text as a tree that remembers its lines.

The only module that sees YAML. It composes with the safe loader (nothing in a
file can make an object), refuses duplicate keys, tags of its own and more than
one document, and resolves aliases and merge keys (`<<`). Values stay text:
decode.py turns them into what a key asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import yaml

from shipper.config.problems import KeyPath, Problems

_CORE_TAG: Final = "tag:yaml.org,2002:"
_MERGE_TAG: Final = _CORE_TAG + "merge"
_MOST_NESTED: Final = 32
_SCALAR_TAGS: Final = {"str", "int", "float", "bool", "null", "timestamp", "value"}


class Position(NamedTuple):
    """Where something begins; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; *is_plain* means without quotes, *reference* is the text that something was put in for."""

    line: int
    text: str
    is_plain: bool
    reference: str | None = None
    column: int = 1

    @property
    def written(self) -> str:
        """The value as it stands in the file, for messages."""
        return self.text if self.reference is None else self.reference

    @property
    def may_be_typed(self) -> bool:
        """Whether it can be a number or a truth value: quotes make a text of it, but flow style asks them of `${N}`."""
        return self.is_plain or self.reference is not None

    @property
    def is_null(self) -> bool:
        """Whether nothing is given: an empty value, `~` or `null`."""
        return self.is_plain and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple[Node, ...]
    column: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; *line* and *column* are the key's."""

    line: int
    key: str
    value: Node
    column: int = 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in file order."""

    line: int
    entries: tuple[Entry, ...]
    column: int = 1


Node = Scalar | Sequence | Mapping


def parse(text: str, problems: Problems) -> Node | None:
    """Return the tree of *text*; None where it is not one YAML document, which *problems* then says."""
    problems.set_source(text)
    try:
        root = _composed(text)
    except yaml.MarkedYAMLError as error:
        line, column = _place_of(error)
        problems.add((), _syntax_text(error), line=line, column=column)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        problems.add((), f"the character U+{int(error.character):04X} has no place in YAML; take it away", line=line)
        return None
    except RecursionError:
        problems.add((), "is nested too deeply", line=1)
        return None
    return _Builder(problems).node(root, ()) if root is not None else Mapping(1, ())


def _composed(text: str) -> yaml.Node | None:
    # libyaml is ten times as fast, which a hundred presets at each start are worth, but says less of what is wrong:
    # its refusals are left to the plain loader.
    fast: type[yaml.SafeLoader] | None = getattr(yaml, "CSafeLoader", None)
    if fast is not None:
        try:
            return _single_node(fast(text))
        except yaml.YAMLError:
            pass
    return _single_node(yaml.SafeLoader(text))


def _single_node(loader: yaml.SafeLoader) -> yaml.Node | None:
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def place_of(entry: Entry) -> Position:
    """Return where to look at *entry*: at a single value, else at the key."""
    shown = entry.value if isinstance(entry.value, Scalar) else entry
    return Position(shown.line, shown.column)


def value_at(root: Node, path: KeyPath) -> tuple[Node | None, Position]:
    """Return the value at *path* and where it stands; None and the last part of the way where it is not written."""
    node, position = root, Position(root.line, root.column)
    for step in path:
        if isinstance(node, Mapping):
            entry = next((entry for entry in node.entries if entry.key == step), None)
            if entry is None:
                return None, position
            node, position = entry.value, place_of(entry)
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            position = Position(node.line, node.column)
        else:
            return None, position
    return node, position


# What PyYAML says, and how it is mended; the first that is found in its words.
_MENDS: Final = (
    ("'\\t'", "YAML is indented with spaces, not tabs"),
    ("expected a single document", "take the second '---' away"),
    ("mapping values are not allowed", "put the value in quotes, or mend the indentation"),
    ("unknown escape character", "write patterns in single quotes"),
    ("scanning an alias", "put a value that begins with * in quotes"),
    ("undefined alias", "put a value that begins with * in quotes"),
    ("unexpected end of stream", "close the quotes that begin here"),
    ("got '<stream end>'", "close the bracket that begins here"),
    ("expected ',' or", "close the bracket, or write a comma; a ' within '...' is written twice"),
    ("cannot start any token", "put the value in quotes"),
    ("expected <block end>", "mend the indentation: what belongs together begins in the same column"),
    ("could not find expected ':'", "write key: value, with a colon and a space, and mend the indentation"),
)
_BEGINS_EARLIER: Final = ("unexpected end of stream", "expected ',' or", "could not find expected ':'")


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mend = next((f"; {mend}" for words, mend in _MENDS if words in said), "")
    return f"not YAML: {said}{mend}"


def _place_of(error: yaml.MarkedYAMLError) -> tuple[int, int]:
    """Return the line and the column that must be looked at: of what is not closed, where it begins."""
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    if mark and begun and begun.line < mark.line and any(words in (error.problem or "") for words in _BEGINS_EARLIER):
        mark = begun
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Builder:
    """Turns PyYAML's nodes into ours; owns the path of aliases under way."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._under_way: set[int] = set()

    def node(self, raw: yaml.Node, path: KeyPath) -> Node:
        if id(raw) in self._under_way:
            self._wrong(raw, path, "an alias leads back to itself; write the value out")
            return Scalar(raw.start_mark.line + 1, "", is_plain=True)
        if len(self._under_way) > _MOST_NESTED:
            self._wrong(raw, (), "is nested too deeply")
            return Scalar(raw.start_mark.line + 1, "", is_plain=True)
        self._under_way.add(id(raw))
        try:
            return self._node(raw, path)
        finally:
            self._under_way.discard(id(raw))

    def _node(self, raw: yaml.Node, path: KeyPath) -> Node:
        line, column = _position(raw)
        if isinstance(raw, yaml.MappingNode):
            self._check_tag(raw, path, {"map"})
            return Mapping(line, self._entries(raw, path), column)
        if isinstance(raw, yaml.SequenceNode):
            self._check_tag(raw, path, {"seq"})
            return Sequence(line, tuple(self.node(item, (*path, i)) for i, item in enumerate(raw.value)), column)
        self._check_tag(raw, path, _SCALAR_TAGS)
        # Only a scalar is left; the stubs give its style to that class alone.
        is_plain = isinstance(raw, yaml.ScalarNode) and not raw.style
        return Scalar(line, str(raw.value), is_plain, column=column)

    def _check_tag(self, raw: yaml.Node, path: KeyPath, known: set[str]) -> None:
        if raw.tag.removeprefix(_CORE_TAG) not in known:
            tag = raw.tag.replace(_CORE_TAG, "!!")
            self._wrong(raw, path, f"the tag {tag!r} has no meaning here; take it away")

    def _entries(self, raw: yaml.MappingNode, path: KeyPath) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        for raw_key, raw_value in raw.value:
            line, column = _position(raw_key)
            if not isinstance(raw_key, yaml.ScalarNode):
                self._wrong(raw_key, path, "a key must be a single word or text")
            elif raw_key.tag == _MERGE_TAG:
                merged += self._merged(raw_key, raw_value, path)
            elif (key := str(raw_key.value)) in entries:
                first = entries[key].line
                self._wrong(raw_key, (*path, key), f"is given a second time (first on line {first}); keep one of them")
            else:
                entries[key] = Entry(line, key, self.node(raw_value, (*path, key)), column)
        for entry in (entry for mapping in merged for entry in mapping.entries):
            entries.setdefault(entry.key, replace(entry))
        return tuple(entries.values())

    def _merged(self, raw_key: yaml.Node, raw: yaml.Node, path: KeyPath) -> list[Mapping]:
        node = self.node(raw, path)
        nodes = node.items if isinstance(node, Sequence) else (node,)
        found = [one for one in nodes if isinstance(one, Mapping)]
        if len(found) != len(nodes):
            self._wrong(raw_key, (*path, "<<"), "only mappings can be merged")
        return found

    def _wrong(self, raw: yaml.Node, path: KeyPath, text: str) -> None:
        line, column = _position(raw)
        self._problems.add(path, text, line=line, column=column)


def _position(raw: yaml.Node) -> Position:
    return Position(raw.start_mark.line + 1, raw.start_mark.column + 1)
