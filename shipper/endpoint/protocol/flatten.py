"""One flat set of keys from an event and what its request adds.

Source: the reference page, sections 1 (precedence: query, then header, then
body), 4.3 (both data models, ``overwrittenN``) and 5 (nesting).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from shipper.endpoint.model import Context
from shipper.endpoint.protocol.values import Json

Event = dict[str, Json]
_V = TypeVar("_V")


class Flat(Generic[_V]):
    """Keys to values in document order; a later value for a taken key becomes ``overwritten1.<key>`` and so on.

    A null takes no key: any other value may have it.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.values: dict[str, _V] = {}
        self._overwritten: dict[str, int] = {}

    def put(self, key: str, value: _V) -> None:
        """Give *value* the key, or the next free name made from it."""
        if self.values.get(key) is None:
            self.values[key] = value
        elif value is not None:
            count = self._overwritten.get(key, 0) + 1
            while f"overwritten{count}.{key}" in self.values:
                count += 1
            self._overwritten[key] = count
            self.values[f"overwritten{count}.{key}"] = value


def flatten(event: Event, context: Context, nesting: int) -> Event:
    """Return *event* with its request's attributes, in the context's data model.

    In the flattened model objects become dotted keys; what lies deeper than
    *nesting* keys is left out.
    """
    if not context.query and not context.header and (context.structure == "raw" or not _has_objects(event)):
        return event
    flat: Flat[Json] = Flat()
    flat.values.update(added_attributes(context))
    if context.structure == "raw":
        for key, value in event.items():
            flat.put(key, value)
    else:
        _spread(flat, "", event, nesting)
    return flat.values


def is_too_nested(event: Event, nesting: int) -> bool:
    """Return whether the flattened model leaves something of *event* out."""
    level: Iterable[Json] = (event,)
    for _ in range(nesting):
        level = [inner for outer in level if isinstance(outer, dict) for inner in outer.values()]
    return any(isinstance(value, dict) and value for value in level)


def depth(value: Json) -> int:
    """Return how many containers are inside one another in *value*, itself included."""
    deepest = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest


def _has_objects(event: Event) -> bool:
    return any(type(value) is dict for value in event.values())


def added_attributes(context: Context) -> Event:
    """Return the attributes of the query and, where it has not the same key, of the header."""
    added = {**dict(context.header), **dict(context.query)}
    return {key: list(value) if isinstance(value, list | tuple) else value for key, value in added.items()}


def _spread(flat: Flat[Json], prefix: str, part: Event, levels: int) -> None:
    for key, value in part.items():
        name = prefix + key
        if not isinstance(value, dict):
            flat.put(name, value)
        elif levels > 1:
            _spread(flat, name + ".", value, levels - 1)
