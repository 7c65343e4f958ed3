"""Which keys the JSON records of a file have: learned from the records, for a decoder that knows them before.

A decoder that is told its keys makes no dicts and needs no look at types. A
record with a key or a type that was not seen before does not fit; it is read
the slow way once, and learned. Where the meaning of a key depends on the order
or type of others, the shape is `odd` and its records stay with the slow way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

MOST_KEYS: Final = 200
_KINDS: Final[dict[type, str]] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    list: "list",
    type(None): "null",
}
_TYPES: Final[dict[str, type]] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}


class Leaf(NamedTuple):
    """A scalar or list of the records.

    Attributes:
        name: Its flat name.
        path: How the generated loop reaches it from the decoded record: `f0` or `f3.f1`.
        kinds: What its values were: str, int, float, bool, list, null.
    """

    name: str
    path: str
    kinds: frozenset[str]


class Shape:
    """The keys of JSON objects, grown by `learn`; owned by the loop that is made of it.

    Attributes:
        keys: How many there are, nested ones counted.
        odd: A key is an object here and a scalar there, lies too deep, or there are too many.
    """

    def __init__(self, nesting: int) -> None:
        """Take objects in objects up to *nesting* levels."""
        self._nesting = nesting
        self._kinds: dict[str, set[str]] = {}
        self._inner: dict[str, Shape] = {}
        self.keys = 0
        self.odd = nesting < 1

    def learn(self, value: dict[str, object]) -> bool:
        """Take in the keys of a record; return whether anything was new."""
        new = False
        for key, item in value.items():
            if isinstance(item, dict):
                if key not in self._inner:
                    self._inner[key] = Shape(self._nesting - 1)
                    new = True
                new |= self._inner[key].learn(item)
                self.odd |= self._inner[key].odd
            else:
                kinds = self._kinds.setdefault(key, set())
                kind = _KINDS[type(item)]
                new |= kind not in kinds
                kinds.add(kind)
        if new:
            self.keys = len(self._kinds) + len(self._inner) + sum(inner.keys for inner in self._inner.values())
            self.odd |= self.keys > MOST_KEYS or not self._kinds.keys().isdisjoint(self._inner)
        return new

    def leaves(self, prefix: str = "", path: str = "") -> list[Leaf]:
        """Return what the records hold under flat names."""
        found = [
            Leaf(prefix + key, f"{path}f{index}", frozenset(kinds))
            for index, (key, kinds) in enumerate(self._kinds.items())
        ]
        for index, (key, inner) in enumerate(self._inner.items(), len(self._kinds)):
            found += inner.leaves(f"{prefix}{key}.", f"{path}f{index}.")
        return found

    def struct(self, *, outermost: bool = True) -> type[msgspec.Struct]:
        """Return a type that holds a record of these keys, absent ones UNSET, and no other.

        Raises:
            ValueError: A key cannot be the name of a field.
        """
        fields: list[tuple[str, object, object]] = []
        names: dict[str, str] = {}
        for index, (key, kinds) in enumerate(self._kinds.items()):
            names[f"f{index}"] = key
            fields.append((f"f{index}", _type_of(kinds), UNSET))
        for index, (key, inner) in enumerate(self._inner.items(), len(self._kinds)):
            names[f"f{index}"] = key
            nested = inner.struct(outermost=False)
            fields.append((f"f{index}", nested, nested()))
        return msgspec.defstruct(
            "Record", fields, rename=names, forbid_unknown_fields=True, gc=False, frozen=not outermost
        )


def _type_of(kinds: set[str]) -> object:
    wanted: object = UnsetType
    for kind in kinds:
        wanted = wanted | (None if kind == "null" else _TYPES[kind])  # type: ignore[operator]  # a union of types
    return wanted
