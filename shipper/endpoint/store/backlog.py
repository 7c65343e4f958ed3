"""What waits to be forwarded: everything behind the remembered position, in order of arrival.

Owns the file ``forwarded``: the id behind the last event that needs no more
sending, as text, written anew and renamed. While a backlog is attached the
shelf evicts nothing behind that id.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from shipper.endpoint.forwarder import ForwardBatch
from shipper.endpoint.model import Context
from shipper.endpoint.protocol import forward_form, limits_for
from shipper.endpoint.store.events import Events, starts_of
from shipper.endpoint.store.files import Descriptor, map_os_errors, sync_directory
from shipper.endpoint.store.matching import Mapper
from shipper.endpoint.store.segment import Block, Sync, read_or_set_aside
from shipper.endpoint.store.shelf import Shelf
from shipper.errors import StateDamaged

NAME: Final = "forwarded"

# An original event and the context of its request to the form that goes on.
Form = Callable[[bytes, Context], bytes]


def as_protocol_forwards(event: bytes, context: Context) -> bytes:
    """Return what goes on of an event by the protocol."""
    return forward_form(event, context, limits_for(context.profile))


def read_position(directory: Path) -> int | None:
    """Return the id behind what is done; None when nothing was ever forwarded from here.

    Raises:
        StateDamaged: The file holds no id; it is left as it is.
    """
    path = directory / NAME
    with map_os_errors(path):
        if not path.exists():
            return None
        text = path.read_text(encoding="ascii", errors="replace").strip()
    if not text.isdecimal():
        raise StateDamaged(f"{path}: holds no position; remove it to forward everything that is kept once more")
    return int(text)


class StoreBacklog:
    """The store's `Backlog`; one forwarder asks it, on the loop.

    Attributes:
        position: The id behind the last event that is done.
    """

    def __init__(self, shelf: Shelf, form: Form, mapper: Mapper, position: int, sync: Sync) -> None:
        """Begin behind *position*."""
        self.position = position
        self._shelf = shelf
        self._form = form
        self._mapper = mapper
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-backlog")
        self._at: tuple[Block, Events] | None = None

    async def next(self, max_bytes: int, max_events: int) -> ForwardBatch | None:
        """Return the events behind the last batch that is done, None when none wait."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._next, max_bytes, max_events)

    async def done(self, batch: ForwardBatch) -> None:
        """Remember durably that *batch* needs no more sending."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._done, int(batch.position))

    def waiting(self) -> tuple[int, int]:
        """Return how many events wait and their bytes before compression; the latter by the share of their block."""
        events = size = 0
        for block in reversed(self._shelf.blocks()):
            count = min(block.events, block.first_id + block.events - self.position)
            if count <= 0:
                break
            events += count
            size += block.raw * count // block.events
        return events, size

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _next(self, max_bytes: int, max_events: int) -> ForwardBatch | None:
        while (found := self._block()) is not None:
            block, events = found
            pieces = list[bytes]()
            size = 0
            for position in range(max(0, self.position - block.first_id), len(events)):
                piece = self._form(events.original(position), events.context(position))
                size += len(piece) + 1
                if pieces and (size > max_bytes or len(pieces) >= max_events):
                    break
                pieces.append(piece)
            start = max(self.position, block.first_id)
            return ForwardBatch(str(start + len(pieces)), b",".join(pieces), len(pieces))
        return None

    def _block(self) -> tuple[Block, Events] | None:
        """Return the block that has the next event to be forwarded, with its events."""
        for block in self._shelf.blocks():
            if block.first_id + block.events <= self.position:
                continue
            if self._at is not None and self._at[0] == block:
                return self._at
            content = read_or_set_aside(block)
            if content is None:
                return self._block()
            self._at = block, Events(content, starts_of(content.events), self._mapper)
            return self._at
        self._at = None
        return None

    def _done(self, position: int) -> None:
        write_position(self._shelf.directory, position, self._sync)
        self.position = position


def write_position(directory: Path, position: int, sync: Sync) -> None:
    """Make *position* the remembered one, durably; a crash leaves it or the one before."""
    unfinished = directory / f"{NAME}.new"
    descriptor = Descriptor(unfinished, os.O_TRUNC)
    descriptor.write(0, b"%d\n" % position)
    sync(descriptor.number)
    unfinished.replace(directory / NAME)
    sync_directory(directory)
