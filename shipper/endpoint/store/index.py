"""What is known of a block without decoding it: groups, columns, bitmap. Pure.

- **Groups**: how many events of each (loglevel, status, source).
- **Columns**: for each group the instants and positions of its events, in order of
  time; where each event begins; which must be read whatever their bytes say.
- **Bitmap**: `grams`.

A filter's text is looked for in the original bytes before anything is decoded.
That is sound only where the mapped event holds what the bytes hold: the index
checks it for every event while it has both, and names the exceptions (escapes
such as ``\\u00e4``, upper case beyond ASCII, attributes that the request or the
server added). So no rule of the mapping is repeated here.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec
import zstandard

from shipper.endpoint.model import Context, LogRecord
from shipper.endpoint.store.events import Events
from shipper.endpoint.store.grams import bitmap_of, pair_hash
from shipper.endpoint.store.matching import LONG_WAY, Outline, source_of, text_of, texts_of

_COUNTS: Final = struct.Struct("<III")
_WIDE_MS: Final = 1 << 32
_AT_ONCE: Final = 32


class Group(msgspec.Struct, array_like=True):
    """How many events of a block are of one severity and source, and the newest of them."""

    loglevel: str
    status: str
    source: str | None
    count: int
    newest_ms: int


class Column(NamedTuple):
    """The events of one group in order of (instant, position)."""

    instants: array[int]
    positions: array[int]


class Columns(NamedTuple):
    """The columns of a block; *columns* are in the order of its groups.

    *unsure* are positions whose content cannot be looked for in the bytes,
    *unsure_pairs* the attributes (`pair_hash`) that cannot.
    """

    columns: list[Column]
    starts: array[int]
    unsure: array[int]
    unsure_pairs: array[int]


class Built(NamedTuple):
    """The index of one block."""

    groups: list[Group]
    columns: Columns
    bitmap: bytes


def build(events: Events, pause: Callable[[], None], outline: Outline = LONG_WAY) -> Built:
    """Map every event of a block and return its index.

    *pause* is called a few times each millisecond: it may wait, so that others go on, or raise to stop.
    """
    survey = _Survey(events, outline)
    for first in range(0, len(events), _AT_ONCE):
        pause()
        survey.note(first, min(first + _AT_ONCE, len(events)))
    unsure_pairs = array("Q", sorted(survey.unsure_pairs(pause)))
    groups, columns = list[Group](), list[Column]()
    for (loglevel, status, source), members in survey.rows.items():
        members.sort()
        groups.append(Group(loglevel, status, source, len(members), members[-1][0]))
        columns.append(Column(array("q", (ms for ms, _ in members)), array("I", (at for _, at in members))))
    pause()
    bitmap = bitmap_of(survey.words, [pair_hash(*pair) for pair in survey.all_pairs()])
    return Built(groups, Columns(columns, events.starts, survey.unsure, unsure_pairs), bitmap)


class _Survey:
    """What the events of a block hold.

    An event that the outline gives, in ASCII without escapes, holds its content and attributes in its bytes:
    it goes the short way. Of all others the bytes are looked at.
    """

    def __init__(self, events: Events, outline: Outline) -> None:
        self.rows: dict[tuple[str, str, str | None], list[tuple[int, int]]] = {}
        self.words = set[str]()
        self.unsure = array("I")
        self._events = events
        self._outline = outline
        self._lowered = events.raw.lower()
        self._sure = set[tuple[str, str]]()
        self._added = set[tuple[str, str]]()
        self._context: Context | None = None
        # With the events that have them: whether these say so has still to be seen.
        self._pairs: dict[tuple[str, str], list[int]] = {}

    def note(self, first: int, end: int) -> None:
        """Look at the events in [first, end)."""
        rows, words, starts, lowered = self.rows, self.words, self._events.starts, self._lowered
        for position, event in enumerate(self._events.decoded(first, end), first):
            context = self._events.context(position)
            said = lowered[starts[position] : starts[position + 1]]
            plain = self._outline.plain(event, context) if b"\\" not in said and said.isascii() else None
            record = self._events.mapped(event, context) if plain is None else plain
            group = (record.loglevel, record.status, source_of(record))
            row = (record.timestamp_ms, position)
            if group in rows:
                rows[group].append(row)
            else:
                rows[group] = [row]
            content = record.content.lower()
            words.update(content.split())
            if plain is not None:
                self._note_plain(plain, position, context)
                continue
            if needle(content) not in said:
                self.unsure.append(position)
            _note_pairs(record, position, self._pairs)

    def _note_plain(self, record: LogRecord, position: int, context: Context) -> None:
        if context is not self._context:
            self._context = context
            for key, value in self._outline.added(context).items():
                self._added.update((key, text) for text in texts_of(value))
        sure = self._sure
        for pair in record.attributes.items():
            value = pair[1]
            if type(value) is str:
                sure.add(pair)  # type: ignore[arg-type] # its value is a str
            elif type(value) is float:
                # 1e3 in the event is 1000.0 to who asks.
                self._pairs.setdefault((pair[0], text_of(value)), []).append(position)
            elif not isinstance(value, list):
                sure.add((pair[0], text_of(value)))

    def all_pairs(self) -> set[tuple[str, str]]:
        """Return the attributes of all events."""
        return self._sure | self._added | self._pairs.keys()

    def unsure_pairs(self, pause: Callable[[], None]) -> set[int]:
        """Return the attributes that an event has whose bytes do not say so."""
        unsure = {pair_hash(*pair) for pair in self._added}
        unsure.update(_unsure_pairs(self._events, self._lowered, self._pairs, pause))
        return unsure


def needle(lower_text: str) -> bytes:
    """Return the bytes by which *lower_text* stands in lower-cased JSON, unless it is escaped in another way."""
    return msgspec.json.encode(lower_text)[1:-1]


def _note_pairs(record: LogRecord, position: int, pairs: dict[tuple[str, str], list[int]]) -> None:
    for key, value in record.attributes.items():
        if isinstance(value, str):
            pairs.setdefault((key, value), []).append(position)
        else:
            for text in texts_of(value):
                pairs.setdefault((key, text), []).append(position)


def _unsure_pairs(
    events: Events, lowered: bytes, pairs: dict[tuple[str, str], list[int]], pause: Callable[[], None]
) -> Iterable[int]:
    starts = events.starts
    for turn, ((key, text), positions) in enumerate(pairs.items()):
        if not turn % 16:
            pause()
        piece = needle(text.lower())
        # What every event has tells none apart: nothing is gained by looking for it.
        if len(positions) >= len(events) or not all(
            piece in lowered[starts[position] : starts[position + 1]] for position in positions
        ):
            yield pair_hash(key, text)


def pack(columns: Columns) -> bytes:
    """Return the columns as bytes."""
    oldest = min((column.instants[0] for column in columns.columns), default=0)
    newest = max((column.instants[-1] for column in columns.columns), default=0)
    wide = newest - oldest >= _WIDE_MS
    parts = [
        struct.pack("<?q", wide, oldest),
        _COUNTS.pack(len(columns.starts), len(columns.unsure), len(columns.unsure_pairs)),
        columns.unsure_pairs.tobytes(),
        columns.starts.tobytes(),
        columns.unsure.tobytes(),
    ]
    for column in columns.columns:
        offsets = array("q" if wide else "I", (ms - oldest for ms in column.instants))
        parts += (offsets.tobytes(), column.positions.tobytes())
    return zstandard.ZstdCompressor(level=1).compress(b"".join(parts))


def unpack(data: bytes, groups: Iterable[Group]) -> Columns:
    """Return what `pack` was given; *groups* are those of the same block."""
    view = memoryview(zstandard.ZstdDecompressor().decompress(data))
    wide, oldest = struct.unpack_from("<?q", view)
    at = struct.calcsize("<?q")
    starts_count, unsure_count, pairs_count = _COUNTS.unpack_from(view, at)
    at += _COUNTS.size

    def take(code: str, count: int) -> array[int]:
        nonlocal at
        taken = array(code)
        end = at + count * taken.itemsize
        taken.frombytes(view[at:end])
        at = end
        return taken

    unsure_pairs, starts, unsure = take("Q", pairs_count), take("I", starts_count), take("I", unsure_count)
    columns = list[Column]()
    for group in groups:
        offsets = take("q" if wide else "I", group.count)
        columns.append(Column(array("q", [ms + oldest for ms in offsets]), take("I", group.count)))
    return Columns(columns, starts, unsure, unsure_pairs)
