"""Peers' files as trees that know their lines: YAML, TOML and Fluent Bit's own syntax; files that others include."""

from __future__ import annotations

import glob
import os.path
import tomllib
from pathlib import Path

from shipper.config.problems import Problems
from shipper.config.translate.common import Given
from shipper.config.yaml_tree import Entry, Mapping, Node, Scalar, Sequence, parse
from shipper.errors import UsageError


def tree(path: Path) -> Node:
    """Return what *path* says.

    Raises:
        UsageError: It cannot be read, or is not what its name says.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: cannot be read: it is not UTF-8 text") from None
    return _tree(path, text)


def included(given: Given, pattern: str, *, what: str) -> list[Given]:
    """Return the files that *pattern*, a glob relative to that of *given*, names; note there what became of it.

    Args:
        given: The value that names them.
        pattern: What it says, or a part of it.
        what: What is taken from them, for the note.
    """
    folder, found = given.file.parent, list[Given]()
    # Path.glob refuses absolute patterns, which peers' files are full of.
    for name in sorted(glob.glob(pattern, root_dir=folder, recursive=True)):  # noqa: PTH207
        # Normalised: a file that includes its parent would else have a new name each time round.
        path = Path(os.path.normpath(folder / name))
        if not path.is_file():
            continue
        try:
            found.append(Given(tree(path), (), given.notes, 1, path))
        except UsageError as error:
            given.leave_rest(str(error))
    if found:
        given.became(what)
    else:
        given.leave_rest(f"no file is called so, seen from {folder}; copy it there and translate again")
    return found


def _tree(path: Path, text: str) -> Node:
    if path.suffix == ".toml":
        try:
            return _toml_node(tomllib.loads(text), text.splitlines(), "", 1)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path}: not TOML: {error}") from None
    if path.suffix in {".conf", ".cfg"}:
        return _classic_tree(text)
    problems = Problems(str(path))
    root = parse(text, problems)
    if root is None or problems.lines():
        raise UsageError("\n".join(problems.lines()) or f"{path}: is empty")
    return root


def _classic_tree(text: str) -> Mapping:
    """Return the sections of *text* as lists under their names; keys are lower case, repeated ones are lists."""
    sections: dict[str, list[Mapping]] = {}
    loose = list[Entry]()
    entries: list[Entry] | None = None
    name, begun = "", 1
    for number, raw in enumerate([*text.splitlines(), "[]"], 1):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            if entries is not None:
                sections.setdefault(name, []).append(Mapping(begun, tuple(entries)))
            name, begun, entries = line[1:-1].upper(), number, []
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" ")
            same = loose if entries is None or line.startswith("@") else entries
            unique = key.lower() if all(one.key != key.lower() for one in same) else f"{key.lower()}#{number}"
            same.append(Entry(number, unique, Scalar(number, value.strip(), is_plain=False)))
    listed = (Entry(maps[0].line, key, Sequence(maps[0].line, tuple(maps))) for key, maps in sections.items())
    return Mapping(1, (*loose, *listed))


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
