"""Builds the indexes of blocks that grow no more, newest first, and packs small frames, in a thread of its own.

It may lag: `lag` says by how much, and a query builds for itself what is
missing. Should it meet something unexpected, it ends, and `failure` says why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from shipper.endpoint.store.events import Events, starts_of
from shipper.endpoint.store.index import build
from shipper.endpoint.store.matching import Mapper, Outline
from shipper.endpoint.store.pace import Pace, Stopped
from shipper.endpoint.store.segment import Block, Segment, read_or_set_aside
from shipper.endpoint.store.shelf import Shelf
from shipper.endpoint.store.trouble import FrameDamaged

_LOOK_AGAIN_SECONDS: Final = 60.0
_DISK_TROUBLE_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Indexer:
    """The thread.

    Attributes:
        failure: What ended it, if anything did.
    """

    def __init__(
        self, shelf: Shelf, mapper: Mapper, outline: Outline, pace: Callable[[Callable[[], bool]], Pace]
    ) -> None:
        """*pace* gives the pace of a piece of work, told when it is to stop."""
        self.failure: BaseException | None = None
        self._shelf = shelf
        self._mapper = mapper
        self._outline = outline
        self._pace = pace(lambda: self._stopping)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-indexer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something new to index."""
        self._shelf.unindexed.set()

    def stop(self) -> None:
        """End the thread and wait for it; it gives up the block it is at."""
        self._stopping = True
        self._shelf.unindexed.set()
        self._thread.join()

    def lag(self) -> tuple[int, int]:
        """Return how many blocks that grow no more, and how many events in them, are not indexed."""
        missing = self._missing()
        return len(missing), sum(block.events for block in missing)

    def _missing(self) -> list[Block]:
        shelf = self._shelf
        return [block for block in shelf.blocks() if shelf.index_of(block) is None and not shelf.is_open(block)]

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._shelf.unindexed.clear()
                wait = self._work()
                self._shelf.unindexed.wait(wait)
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 -- the outermost loop of this thread; the next append raises it
            self.failure = error
            _log.exception("event=store_indexer_failed: nothing more is taken; restart the endpoint")

    def _work(self) -> float:
        """Do what there is to do; return how long to wait, in seconds, unless woken."""
        try:
            self._index_missing()
            while (segment := self._shelf.in_small_frames()) is not None:
                self._repack(segment)
        except OSError as error:
            _log.warning("event=store_index_not_written error=%s", error.strerror)
            return _DISK_TROUBLE_SECONDS
        return _LOOK_AGAIN_SECONDS

    def _index_missing(self) -> None:
        for block in reversed(self._missing()):
            content = read_or_set_aside(block)
            if content is not None:
                events = Events(content, starts_of(content.events), self._mapper)
                self._shelf.add_index(block, build(events, self._pace.step, self._outline))

    def _repack(self, segment: Segment) -> None:
        try:
            new = segment.repacked(self._shelf.sync, self._pace.step)
        except FrameDamaged:
            for block in list(segment.blocks):
                read_or_set_aside(block)
            return
        self._shelf.put_in_place(segment, new)
