"""Fluent Bit's sections, in its own syntax and in YAML, gathered from the main file and from those that it includes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from shipper.config.translate.common import Given
from shipper.config.translate.trees import included
from shipper.config.yaml_tree import Mapping, Node, Scalar, Sequence

_SECTIONS: Final = {
    "inputs": ("INPUT", "pipeline.inputs"),
    "filters": ("FILTER", "pipeline.filters"),
    "outputs": ("OUTPUT", "pipeline.outputs"),
    "parsers": ("PARSER", "parsers"),
    "multiline_parsers": ("MULTILINE_PARSER", "multiline_parsers"),
}
_PUT_IN: Final = "put in where it is named"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
Sections = dict[str, list[Given]]


def gather(main: Given) -> tuple[Sections, list[Given]]:
    """Return the sections of *main* and of what it includes, by kind; and these files."""
    sections: Sections = {kind: [] for kind in _SECTIONS}
    variables: dict[str, str] = {}
    waiting, seen, files = [main], set[str](), list[Given]()
    while waiting:
        given = waiting.pop(0)
        if str(given.file) in seen:
            continue
        seen.add(str(given.file))
        files.append(given)
        _set_variables(given, variables)
        root = replace(given, node=_filled(given.node, variables))
        for kind, keys in _SECTIONS.items():
            sections[kind] += [one for key in keys if (found := root.get(key)) for one in found.items()]
        waiting += _includes(root)
    return sections, files


def one(given: Given, key: str) -> Given | None:
    """Return the first value of *key*, in any case."""
    return next(iter(all_of(given, key)), None)


def all_of(given: Given, key: str) -> list[Given]:
    """Return every value of *key*, in any case: it may be repeated, or a list."""
    named = (value for name, value in given.entries() if name.partition("#")[0].lower() == key)
    return [item for value in named for item in value.items()]


def _set_variables(root: Given, variables: dict[str, str]) -> None:
    for given in all_of(root, "@set"):
        name, _, value = given.became(_PUT_IN).text.partition("=")
        variables[name.strip()] = value.strip()
    for name, given in environment.entries() if (environment := root.get("env")) else ():
        variables[name] = given.became(_PUT_IN).text


def _filled(node: Node, variables: dict[str, str]) -> Node:
    """Return *node* with the variables of the file put in; those of the environment stay."""
    if isinstance(node, Sequence):
        return replace(node, items=tuple(_filled(item, variables) for item in node.items))
    if isinstance(node, Mapping):
        entries = (replace(entry, value=_filled(entry.value, variables)) for entry in node.entries)
        return replace(node, entries=tuple(entries))
    text = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), node.text)
    return node if text == node.text else Scalar(node.line, text, node.is_plain, reference=node.text)


def _includes(root: Given) -> Iterator[Given]:
    for given in (*all_of(root, "@include"), *all_of(root, "includes")):
        yield from included(given, given.text, what="its sections")
    services = [found for key in ("SERVICE", "service") if (found := root.get(key))]
    for given in (value for service in services for item in service.items() for value in all_of(item, "parsers_file")):
        for name in given.text.split(","):
            yield from included(given, name.strip(), what="its parsers")
