"""What all translations share: the peer's values with their places, the notes, and the source that is being made.

A value that no translation takes gets a note by itself (`Given.leave_rest`), so that nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from shipper.config.problems import KeyPath, path_text
from shipper.config.validate import OWN_NAMES
from shipper.config.yaml_tree import Mapping, Node, Scalar, Sequence

Kind = Literal["translated", "differs", "untranslated"]
Part = dict[str, "str | int | list[str] | dict[str, str]"]
Value = str | int | list[str] | list[dict[str, str]] | Part

_SECRET: Final = re.compile(r"pass|secret|token(?!izer)|api_?key|auth|credential|header", re.IGNORECASE)
_USER_IN_URL: Final = re.compile(r"//[^/\s@]*@")
_REFERENCE: Final = re.compile(r"(?<!\\)\$\{(?P<name>[A-Za-z_]\w*)(?::(?P<default>[^{}]*))?\}|\$(?=[${])")
_NOTHING_LIKE_IT: Final = "shipper has no such setting, or needs none"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one value of the peer's file.

    Attributes:
        file: The file it stands in; the peer's may include others.
        line: Where it stands, from 1.
        key: Its path in the file.
        was: The value; secrets are hidden.
        kind: Whether it was translated as it is, differs, or is not there.
        text: Where it went, how it differs or why it could not be translated.
    """

    file: str
    line: int
    key: str
    was: str
    kind: Kind
    text: str


@dataclass(frozen=True)
class Given:
    """A value of the peer's file, its place, and the notes it adds to."""

    node: Node
    path: KeyPath
    notes: dict[KeyPath, Note]
    line: int
    file: Path

    def get(self, key: str) -> Given | None:
        """Return the value of *key*, None where it is not given; dotted names are looked up as nested ones too."""
        for name, value in self.entries():
            if name == key:
                return value
            if key.startswith(name + ".") and (found := value.get(key[len(name) + 1 :])) is not None:
                return found
        return None

    def entries(self) -> Iterator[tuple[str, Given]]:
        """Give the keys with their values."""
        if isinstance(self.node, Mapping):
            for entry in self.node.entries:
                yield entry.key, Given(entry.value, (*self.path, entry.key), self.notes, entry.line, self.file)

    def items(self) -> list[Given]:
        """Return the items of a list; a single value counts as a list of one."""
        if not isinstance(self.node, Sequence):
            return [self]
        steps = enumerate(self.node.items)
        return [Given(item, (*self.path, i), self.notes, item.line, self.file) for i, item in steps]

    def leaves(self) -> Iterator[Given]:
        """Give every single value in it."""
        below = self.items() if isinstance(self.node, Sequence) else [value for _, value in self.entries()]
        for one in below:
            yield from one.leaves()
        if not below:
            yield self

    @property
    def text(self) -> str:
        """The value as written; empty for a list or a mapping."""
        return self.node.text if isinstance(self.node, Scalar) else ""

    @property
    def at(self) -> KeyPath:
        """Its place among the notes: the file and the path in it."""
        return (str(self.file), *self.path)

    @property
    def is_on(self) -> bool:
        """Whether it is a truth value that holds."""
        return self.text.lower() in {"true", "on", "yes", "1"}

    def note(self, kind: Kind, text: str) -> None:
        """Say of every value in it that has no note yet what became of it."""
        for leaf in self.leaves():
            was = leaf.node.written if isinstance(leaf.node, Scalar) else ""
            was = "***" if any(_SECRET.search(str(step)) for step in leaf.path) else _USER_IN_URL.sub("//***@", was)
            key = path_text(leaf.path)
            leaf.notes.setdefault(
                leaf.at, Note(file=str(leaf.file), line=leaf.line, key=key, was=was, kind=kind, text=text)
            )

    def became(self, where: str) -> Given:
        """Note that it is *where* in agent.yaml, with the same meaning."""
        self.note("translated", where)
        return self

    def leave_rest(self, text: str = _NOTHING_LIKE_IT) -> None:
        """Note of every value that was not taken that it is not translated."""
        self.note("untranslated", text)


@dataclass
class Draft:
    """A source that is being made; its keys are agent.yaml's."""

    name: str
    keys: dict[str, Value] = field(default_factory=dict)

    def add(self, key: str, *texts: str) -> None:
        """Append *texts* to a key that is a list."""
        self.keys[key] = [*self.texts(key), *(text for text in texts if text not in self.texts(key))]

    def texts(self, key: str) -> list[str]:
        """Return a key that is a list."""
        value = self.keys.get(key, [])
        return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

    def part(self, key: str) -> Part:
        """Return a key that is a mapping, made where it is not there."""
        value = self.keys.setdefault(key, {})
        if not isinstance(value, dict):
            raise TypeError(key)
        return value

    def attribute(self, name: str, given: Given, text: str | None = None) -> None:
        """Send *given*, or its part *text*, with every event; a name that the agent sets gets the prefix `app.`."""
        value = given.text if text is None else text
        if not name.strip() or not value.strip():
            given.leave_rest("an attribute has a name and a value")
            return
        sent = f"app.{name}" if name.lower() in OWN_NAMES else name
        self.part("attributes")[sent] = value
        if sent == name:
            given.became(f"attributes.{sent}")
        else:
            given.note("differs", f"attributes.{sent}: {name} is set by the agent")

    def attributes(self, given: Given, prefix: str = "") -> None:
        """Send every value of the mapping *given*, under dotted names."""
        for leaf in given.leaves():
            steps = leaf.path[len(given.path) :]
            if steps:
                self.attribute(prefix + ".".join(map(str, steps)), leaf)


def settle_paths(drafts: list[Draft], notes: dict[KeyPath, Note]) -> list[Draft]:
    """Give each path to the first source that has it and each source a name of its own; drop sources without paths."""
    taken, names, kept = set[str](), set[str](), list[Draft]()
    for draft in drafts:
        paths = [path for path in draft.texts("paths") if path not in taken]
        taken.update(paths)
        if not paths:
            continue
        draft.keys["paths"] = list(paths)
        name, number = draft.name, 2
        while name in names:
            name, number = f"{draft.name}-{number}", number + 1
        names.add(name)
        draft.name = name
        kept.append(draft)
    named = Counter(note.was for note in notes.values() if note.text == "paths")
    for at, note in notes.items():
        if note.text == "paths" and named[note.was] > 1:
            notes[at] = msgspec.structs.replace(
                note, kind="differs", text="a path belongs to one source: the first that names it"
            )
    return kept


def written(drafts: list[Draft], name: str) -> str:
    """Return *drafts* as the text of agent.yaml; *name* is the file they come from."""
    sources = [{"name": draft.name, **{key: value for key, value in draft.keys.items() if value}} for draft in drafts]
    body = yaml.safe_dump(_escaped({"sources": sources}), sort_keys=False, allow_unicode=True, width=10_000)
    return f"# Translated from {name}; endpoint.url is the local OneAgent's unless you write another.\n{body}"


def _escaped(value: object) -> object:
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return _REFERENCE.sub(_kept, value) if isinstance(value, str) else value


def _kept(match: re.Match[str]) -> str:
    """Leave references to the environment; any other `$$` and `${` would mean something in agent.yaml."""
    if match["name"] is None:
        return "$$"
    default = match["default"]
    # `${NAME:default}` is Filebeat's, and `:?` its message for a variable that is not set.
    if default is None or default.startswith("?"):
        return f"${{{match['name']}}}"
    return f"${{{match['name']}:-{default.removeprefix('-')}}}"
