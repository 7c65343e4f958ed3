"""A tree of text into the structs of the model, with every misfit noted.

msgspec's own converter stops at the first error and knows no lines, so this
module walks the same type descriptions (`msgspec.inspect`) itself. A value that
does not fit is left at its default, so that the rest can still be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

import msgspec
from msgspec import inspect

from shipper.config.problems import KeyPath, Problems, known_words
from shipper.config.units import duration_seconds, duration_text, size_bytes, size_text
from shipper.config.value_types import UNIT, Secret
from shipper.config.yaml_tree import Mapping, Node, Position, Scalar, Sequence, place_of

T = TypeVar("T", bound=msgspec.Struct)
N = TypeVar("N", int, float)

_INTEGER: Final = re.compile(r"[-+]?\d[\d_]*", re.ASCII)
_TRUTH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SHOWN_CHARACTERS: Final = 60


class _Misfit(ValueError):
    """A value is of another kind than its key asks for."""


def decode(root: Node, as_type: type[T], problems: Problems, path: KeyPath = ()) -> T | None:
    """Return *root* as *as_type*, or None where a key without a default is missing or wrong."""
    described = _described(as_type)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{as_type} is no struct")
    found = _Decoder(problems).struct(root, described, path)
    return found if isinstance(found, as_type) else None


@cache
def _described(as_type: type) -> inspect.Type:
    # A hundred presets are of one type, and describing it takes longer than reading any of them.
    return inspect.type_info(as_type)


class _Decoder:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def struct(self, node: Node, as_type: inspect.StructType, path: KeyPath) -> msgspec.Struct | None:
        if not isinstance(node, Mapping):
            self._wrong(path, f"keys with values are expected, found {_kind(node)}", Position(node.line, node.column))
            return None
        fields = {field.encode_name: field for field in as_type.fields}
        values: dict[str, object] = {}
        for entry in node.entries:
            field = fields.get(entry.key)
            if field is None:
                text = f"unknown key {entry.key!r}; {known_words(entry.key, fields)}"
                self._wrong((*path, entry.key), text, Position(entry.line, entry.column))
                continue
            if _is_null(entry.value) and not field.required:
                continue
            try:
                values[field.name] = self.value(entry.value, field.type, (*path, entry.key))
            except _Misfit as misfit:
                self._wrong((*path, entry.key), str(misfit), place_of(entry))
        return self._made(node, as_type, values, path)

    def _made(
        self, node: Mapping, as_type: inspect.StructType, values: dict[str, object], path: KeyPath
    ) -> msgspec.Struct | None:
        given = {entry.key for entry in node.entries}
        required = [field for field in as_type.fields if field.required]
        for field in required:
            if field.encode_name not in given:
                where = Position(node.line, node.column)
                self._wrong((*path, field.encode_name), "is missing; every entry needs one", where)
        if any(field.name not in values for field in required):
            return None
        made = as_type.cls(**values)
        return made if isinstance(made, msgspec.Struct) else None

    def value(self, node: Node, as_type: inspect.Type, path: KeyPath, unit: str = "") -> object:
        """Return *node* as *as_type*; a list or mapping notes its own misfits.

        Raises:
            _Misfit: the value itself is of another kind.
        """
        if isinstance(as_type, inspect.Metadata):
            return self.value(node, as_type.type, path, str((as_type.extra or {}).get(UNIT, "")))
        if isinstance(as_type, inspect.StructType):
            made = self.struct(node, as_type, path)
            return made if made is not None else _default(as_type)
        if isinstance(as_type, inspect.VarTupleType):
            return self._list(node, as_type.item_type, path)
        if isinstance(as_type, inspect.DictType):
            return self._dict(node, as_type.value_type, path)
        if isinstance(as_type, inspect.UnionType):
            return self._union(node, as_type, path, unit)
        if not isinstance(node, Scalar) or node.is_null:
            raise _Misfit(f"{_expected(as_type, unit)} is expected, found {_kind(node)}{_list_hint(node)}")
        return _scalar(node, as_type, unit)

    def _list(self, node: Node, item_type: inspect.Type, path: KeyPath) -> tuple[object, ...]:
        if not isinstance(node, Sequence):
            hint = f"; write [{_shown(node.written)}]" if isinstance(node, Scalar) and not node.is_null else ""
            raise _Misfit(f"a list is expected, found {_kind(node)}{hint}")
        items: list[object] = []
        for index, item in enumerate(node.items):
            try:
                items.append(self.value(item, item_type, (*path, index)))
            except _Misfit as misfit:
                self._wrong((*path, index), str(misfit), Position(item.line, item.column))
        # Without the wrong one the others would be numbered otherwise than in the file.
        return tuple(items) if len(items) == len(node.items) and None not in items else ()

    def _dict(self, node: Node, value_type: inspect.Type, path: KeyPath) -> dict[str, object]:
        if not isinstance(node, Mapping):
            raise _Misfit(f"keys with values are expected, found {_kind(node)}")
        values: dict[str, object] = {}
        for entry in node.entries:
            try:
                values[entry.key] = self.value(entry.value, value_type, (*path, entry.key))
            except _Misfit as misfit:
                self._wrong((*path, entry.key), str(misfit), place_of(entry))
        return values

    def _union(self, node: Node, as_type: inspect.UnionType, path: KeyPath, unit: str) -> object:
        choices = [choice for choice in as_type.types if not isinstance(choice, inspect.NoneType)]
        if len(choices) < len(as_type.types) and _is_null(node):
            return None
        if len(choices) == 1:
            return self.value(node, choices[0], path, unit)
        words = [word for c in choices if isinstance(c, inspect.LiteralType) for word in c.values]
        if isinstance(node, Scalar) and node.text in words:
            return node.text
        for choice in choices:
            try:
                return self.value(node, choice, path, unit)
            except _Misfit:
                continue
        expected = " or ".join(_expected(c, "duration" if isinstance(c, inspect.Metadata) else "") for c in choices)
        raise _Misfit(f"{expected} is expected, found {_kind(node)}")

    def _wrong(self, path: KeyPath, text: str, where: Position) -> None:
        self._problems.add(path, text, line=where.line, column=where.column)


def _scalar(node: Scalar, as_type: inspect.Type, unit: str) -> object:
    if unit == "secret":
        return Secret(node.text)
    if isinstance(as_type, inspect.StrType):
        return node.text
    if isinstance(as_type, inspect.LiteralType):
        return _literal(node, as_type, unit)
    if isinstance(as_type, inspect.BoolType):
        truth = _TRUTH.get(node.text.lower()) if node.may_be_typed else None
        if truth is None:
            raise _Misfit(f"true or false is expected, found {_kind(node)}")
        return truth
    if isinstance(as_type, inspect.FloatType):
        return _in_bounds(_with_unit(node, duration_seconds), node, as_type, duration_text)
    if isinstance(as_type, inspect.IntType):
        if unit == "size":
            return _in_bounds(_with_unit(node, size_bytes), node, as_type, lambda size: size_text(int(size)))
        if not node.may_be_typed or not _INTEGER.fullmatch(node.text):
            raise _Misfit(f"a whole number is expected, found {_kind(node)}")
        return _in_bounds(int(node.text), node, as_type)
    raise TypeError(f"the model has a type that decode does not know: {as_type}")


def _literal(node: Scalar, as_type: inspect.LiteralType, unit: str) -> str:
    words = [str(word) for word in as_type.values]
    if unit == "switch" and node.text.lower() in _TRUTH:
        return "on" if _TRUTH[node.text.lower()] else "off"
    if node.text not in words:
        raise _Misfit(f"{_shown(node.written)!r} is not one of {', '.join(words)}")
    return node.text


def _with_unit(node: Scalar, read: Callable[[str], N]) -> N:
    try:
        return read(node.text)
    except ValueError as error:
        raise _Misfit(str(error).replace(repr(node.text), repr(node.written))) from None


def _in_bounds(
    number: N, node: Scalar, as_type: inspect.IntType | inspect.FloatType, show: Callable[[float], str] = str
) -> N:
    if as_type.ge is not None and number < as_type.ge:
        raise _Misfit(f"{node.written} is under the least value of {show(as_type.ge)}; raise it")
    if as_type.le is not None and number > as_type.le:
        raise _Misfit(f"{node.written} is over the greatest value of {show(as_type.le)}; lower it")
    return number


def _default(as_type: inspect.StructType) -> object:
    if any(field.required for field in as_type.fields):
        return None
    return as_type.cls()


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _shown(text: str) -> str:
    # What a reference stands for is not shown: it may be a token in the wrong place.
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _kind(node: Node) -> str:
    if isinstance(node, Mapping):
        return "keys with values"
    if isinstance(node, Sequence):
        return "a list"
    if node.is_null:
        return "nothing"
    return f"{_shown(node.written)!r}" if node.is_plain else f"the text {_shown(node.written)!r} in quotes"


def _list_hint(node: Node) -> str:
    return "; take the brackets or dashes away" if isinstance(node, Sequence) else ""


def _expected(as_type: inspect.Type, unit: str) -> str:
    if isinstance(as_type, inspect.LiteralType):
        return " or ".join(str(word) for word in as_type.values)
    if isinstance(as_type, inspect.BoolType):
        return "true or false"
    if unit == "duration" or isinstance(as_type, inspect.FloatType):
        return "a duration such as 5s"
    if unit == "size":
        return "a size such as 64KiB"
    return "a whole number" if isinstance(as_type, inspect.IntType) else "a text"
