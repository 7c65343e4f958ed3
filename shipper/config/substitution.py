"""`${NAME}`, `${NAME:-default}`, `${file:/path}` and `$$` in the values of a configuration.

Applied to values, never to keys, once: what is put in is not looked at again
and cannot add structure. In a source's attributes `${0}`, `${1}` ... stay, for
templates.py to fill for each file. Messages name the variable or the file,
never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Lookup
from dataclasses import replace
from pathlib import Path
from typing import Final

from shipper.config.problems import KeyPath, Problems
from shipper.config.yaml_tree import Mapping, Node, Sequence

_REFERENCE: Final = re.compile(r"\$(?:\$|\{([^{}]*)\})")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_LARGEST_FILE_BYTES: Final = 65_536


class Unresolved(ValueError):
    """A reference leads to nothing; the message says which and how to mend it."""


def substitute(text: str, environ: Lookup[str, str], folder: Path, *, keeps_path_parts: bool = False) -> str:
    """Return *text* with its references replaced.

    Args:
        text: As it stands in the file.
        environ: The environment.
        folder: Where relative paths of `${file:...}` start.
        keeps_path_parts: Leave `${1}` alone, and write every literal dollar as `$$`.

    Raises:
        Unresolved: a variable is not set and has no default, or a file cannot be read.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$$" if keeps_path_parts else "$"
        if name.isascii() and name.isdigit():
            if keeps_path_parts:
                return match[0]
            raise Unresolved(
                f"{match[0]} is a part of a path and belongs in a source's attributes; write $${{{name}}} for the text"
            )
        value = _read_file(name[5:], folder) if name.startswith("file:") else _variable(name, environ)
        return value.replace("$", "$$") if keeps_path_parts else value

    return _REFERENCE.sub(value_of, text)


def substitute_tree(root: Node, environ: Lookup[str, str], folder: Path, problems: Problems) -> Node:
    """Return *root* with every value's references replaced; what leads to nothing goes to *problems*."""

    def walk(node: Node, path: KeyPath) -> Node:
        if isinstance(node, Sequence):
            return replace(node, items=tuple(walk(item, (*path, i)) for i, item in enumerate(node.items)))
        if isinstance(node, Mapping):
            entries = (replace(entry, value=walk(entry.value, (*path, entry.key))) for entry in node.entries)
            return replace(node, entries=tuple(entries))
        if "$" not in node.text:
            return node
        try:
            text = substitute(node.text, environ, folder, keeps_path_parts=_is_source_attribute(path))
        except Unresolved as error:
            problems.add(path, str(error), line=node.line, column=node.column)
            return node
        return replace(node, text=text, reference=node.text)

    return walk(root, ())


def _is_source_attribute(path: KeyPath) -> bool:
    return len(path) == 4 and path[0] == "sources" and path[2] == "attributes"


def _variable(name: str, environ: Lookup[str, str]) -> str:
    match = _VARIABLE.fullmatch(name)
    if match is None:
        raise Unresolved(f"${{{name}}} names no variable; write ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}")
    value = environ.get(match[1])
    if match[2] is not None:
        # As in the shell: `:-` stands in for a variable that is empty, too.
        return value or match[2]
    if value is None:
        raise Unresolved(f"the environment variable {match[1]} is not set; set it or write ${{{match[1]}:-default}}")
    return value


def _read_file(name: str, folder: Path) -> str:
    path = folder / Path(name).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST_FILE_BYTES + 1)
    except UnicodeDecodeError:
        raise Unresolved(f"{path} holds no UTF-8 text") from None
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unresolved(f"cannot read {path}: {reason.lower()}") from None
    if len(text) > _LARGEST_FILE_BYTES:
        raise Unresolved(f"{path} is larger than {_LARGEST_FILE_BYTES} characters; is it the right file?")
    return text.rstrip("\r\n")
