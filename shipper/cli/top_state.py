"""What the person at `shipper top` has chosen: order, filter, the marked row, one source; and what a key changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shipper.pipeline.status import FileStatus, SourceStatus

Key = str
"""A printable character, or a name: up, down, page_up, page_down, home, end, enter, escape, backspace."""

SOURCE_ORDERS: Final[dict[str, Callable[[SourceStatus], tuple[float, ...]]]] = {
    "configured": lambda source: (),
    "behind": lambda source: (-source.lag_bytes,),
    "lag": lambda source: (-(source.lag_seconds if source.lag_seconds is not None else 0.0),),
    "records/s": lambda source: (-source.rate.records_10s,),
    "bytes/s": lambda source: (-source.rate.bytes_10s,),
    "files": lambda source: (-source.files_followed,),
    "problems": lambda source: (-source.problems,),
}
_STEPS: Final = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "page_up": -10,
    "page_down": 10,
    "home": -(1 << 30),
    "end": 1 << 30,
}


class Chosen:
    """Changed by keys alone.

    Attributes:
        order: Name of a column to sort by.
        reverse: The other way round.
        filter: Only sources, or files, with this text in their name.
        typing: The filter is being typed.
        row: The marked one.
        source: The one that is looked into; None for the list of them.
        paused: Nothing moves.
        events: The latest events are shown.
        over: Whether to end.
    """

    def __init__(self) -> None:
        """Sources as they are configured."""
        self.order = "configured"
        self.reverse = False
        self.filter = ""
        self.typing = False
        self.row = 0
        self.source: str | None = None
        self.paused = False
        self.events = True
        self.over = False
        self._before = ""

    def press(self, key: Key, sources: Sequence[SourceStatus], rows: int) -> None:
        """Do what *key* asks for; *sources* are those shown now, *rows* how many of whatever is."""
        if self.typing:
            self._type(key)
        elif key in _STEPS:
            self.row = min(max(self.row + _STEPS[key], 0), max(rows - 1, 0))
        elif key == "enter" and self.source is None and self.row < len(sources):
            self.source, self.row, self._before, self.filter = sources[self.row].name, 0, self.filter, ""
        elif key in ("escape", "backspace", "left"):
            self._back()
        else:
            self._toggle(key)

    def _toggle(self, key: Key) -> None:
        if key == "q":
            self.over = True
        elif key == "s":
            names = list(SOURCE_ORDERS)
            self.order = names[(names.index(self.order) + 1) % len(names)]
        elif key == "r":
            self.reverse = not self.reverse
        elif key == "/":
            self.typing = True
        elif key in ("p", " "):
            self.paused = not self.paused
        elif key == "e":
            self.events = not self.events

    def _type(self, key: Key) -> None:
        if key in ("enter", "escape"):
            self.typing = False
            self.filter = self.filter if key == "enter" else ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1:
            self.filter += key
        self.row = 0

    def _back(self) -> None:
        if self.source is not None and not self.filter:
            self.source, self.row, self.filter = None, 0, self._before
        else:
            self.filter = ""

    def sources(self, sources: Sequence[SourceStatus]) -> list[SourceStatus]:
        """Return those to show, in their order."""
        found = [source for source in sources if self.filter.lower() in source.name.lower()]
        found.sort(key=SOURCE_ORDERS[self.order])
        return found[::-1] if self.reverse else found

    def files(self, files: Sequence[FileStatus]) -> list[FileStatus]:
        """Return those to show; the agent has put the furthest behind first."""
        found = [file for file in files if self.filter.lower() in file.path.lower()]
        return found[::-1] if self.reverse else found
