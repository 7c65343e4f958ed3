"""A watcher of a folder of logs, and what is heard of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shipper.adapters.watch import Watcher
from tests.patience import PATIENCE_SECONDS


class Scene:
    """A watcher of `logs`, with a state directory beside it."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        self.woken = threading.Event()
        self.wakes = 0
        self.watcher = Watcher(self.state, self._wake)

    def _wake(self) -> None:
        self.wakes += 1
        self.woken.set()

    def start(self, *directories: Path) -> set[str]:
        self.watcher.start()
        return self.watcher.cover({str(d) for d in directories or (self.logs,)})

    def hear(self, until: Callable[[set[str], bool], bool] = lambda changed, structure: True) -> tuple[set[str], bool]:
        """Take events until they are enough."""
        changed, structure = set[str](), False
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (changed or structure) or not until(changed, structure):
            if not self.woken.wait(deadline - time.monotonic()):
                raise AssertionError(f"not heard in time; only {changed}, structure {structure}")
            self.woken.clear()
            more, also = self.watcher.take()
            changed, structure = changed | more, structure or also
        return changed, structure

    def heard_nothing_before(self, path: Path) -> bool:
        """Make a change that is heard for certain, and return whether nothing else was."""
        path.touch()
        changed, _ = self.hear(lambda _changed, structure: structure)
        return changed <= {str(path)}


def watching(tmp_path: Path) -> Iterator[Scene]:
    """Give a scene and stop its watcher: for a fixture."""
    made = Scene(tmp_path)
    yield made
    made.watcher.stop()
