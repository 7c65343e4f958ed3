"""A world without threads and without waiting: executors work at once, and the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final

from tests.pipeline.virtual_time import VirtualLoop

BEGIN_NS: Final = 1_795_464_000_000_000_000  # 2026-11-23T20:00:00Z


class ClockworkLoop(VirtualLoop):
    """A loop in virtual time on which other threads' work is done in between, so that a run is the same each time."""

    def run_in_executor(  # type: ignore[override]  # a future that is done at once, where the base class makes one
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it now."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- handed to whoever waits, as an executor does
            done.set_exception(error)
        return done


class _Clock:
    """Stands where the module `time` stood; what is not a clock of ours is the module's own."""

    def __init__(self, loop: ClockworkLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def time_ns(self) -> int:
        return BEGIN_NS + int((self._loop.time() - 1000.0) * 1e9)

    def time(self) -> float:
        return self.time_ns() / 1e9

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)


@contextmanager
def clockwork() -> Iterator[asyncio.Runner]:
    """Give a runner on a clockwork loop; meanwhile every module of the pipeline and the adapters has its clocks."""
    runner = asyncio.Runner(loop_factory=ClockworkLoop)
    loop = runner.get_loop()
    assert isinstance(loop, ClockworkLoop)
    clock = _Clock(loop)
    patched = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(("shipper.pipeline", "shipper.adapters")) and getattr(module, "time", None) is time
    ]
    for module in patched:
        module.time = clock  # type: ignore[attr-defined]  # filtered by having it
    try:
        with runner:
            yield runner
    finally:
        for module in patched:
            module.time = time  # type: ignore[attr-defined]
