"""What was read last, up to a number of bytes; any thread may use it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

Kind = TypeVar("Kind")


class Cache:
    """The least recently used goes first; something larger than a quarter of the room is not kept."""

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._items: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self.size = 0

    def get(self, key: Hashable, kind: type[Kind]) -> Kind | None:
        """Return what was put under *key*, if it is still here and of this kind."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            item = self._items[key][0]
        return item if isinstance(item, kind) else None

    def put(self, key: Hashable, item: object, size: int) -> None:
        """Keep *item*, which takes *size* bytes."""
        if size > self._max_bytes // 4:
            return
        with self._lock:
            _, before = self._items.pop(key, (None, 0))
            self._items[key] = (item, size)
            self.size += size - before
            while self.size > self._max_bytes:
                _, (_, freed) = self._items.popitem(last=False)
                self.size -= freed
