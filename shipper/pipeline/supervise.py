"""Tasks that are looked after: the first that ends, which none should, ends the agent.

A loop may also stop going round without ending: it waits for what never
comes. So each loop beats as it goes round, and whoever feeds the watchdog asks
which have been silent for too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar, cast

from shipper.errors import ShipperError

LONGEST_BEAT_SECONDS: Final = 5.0
T = TypeVar("T")


class TaskEnded(ShipperError):
    """A task that runs for as long as the agent does came to its end."""


class Supervisor:
    """Owns the agent's tasks; used from the event loop only."""

    def __init__(self, say: Callable[..., None]) -> None:
        """*say* takes an event's name and its fields, as Journal.say does: it hears which task has failed."""
        self._say = say
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._failure: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._failure.add_done_callback(lambda failure: failure.cancelled() or failure.exception())

    @property
    def names(self) -> list[str]:
        """Of the tasks that run."""
        return list(self._tasks.values())

    def spawn(self, name: str, coroutine: Coroutine[object, object, None], *, may_end: bool = False) -> None:
        """Run *coroutine*; its end, unless it *may_end*, and its error in any case are the end of the agent."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks[task] = name
        task.add_done_callback(lambda done: self._ended(done, may_end=may_end))

    async def until(self, work: Coroutine[object, object, T]) -> T:
        """Return what *work* returns.

        Raises:
            Exception: What a task raised before that.
            TaskEnded: A task came to its end before that.
        """
        mine: asyncio.Future[object] = asyncio.ensure_future(work)
        try:
            await asyncio.wait({mine, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            return cast(T, mine.result())
        finally:
            if not mine.done():
                mine.cancel()
                await asyncio.gather(mine, return_exceptions=True)

    async def end(self) -> None:
        """Cancel every task and wait for its end; none is spawned any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._failure.cancel()

    def _ended(self, task: asyncio.Task[None], *, may_end: bool) -> None:
        name = self._tasks.pop(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None and may_end:
            return
        if error is not None:
            self._say("task_failed", task=name, error=type(error).__name__)
        if not self._failure.done():
            self._failure.set_exception(error or TaskEnded(f"the task {name} ended, which it must not"))


class Beats:
    """When each loop went round last; used from the event loop only.

    Attributes:
        every_seconds: A loop goes round at least this often, also where it has nothing to do.
        patience_seconds: One that has not for longer than this does not go round any more.
    """

    def __init__(self, monotonic: Callable[[], float], watchdog_seconds: float | None = None) -> None:
        """Four beats at least in the time after which the watchdog bites."""
        self.every_seconds = min(LONGEST_BEAT_SECONDS, (watchdog_seconds or 60.0) / 4)
        self.patience_seconds = 4 * self.every_seconds if watchdog_seconds is None else watchdog_seconds / 2
        self._monotonic = monotonic
        self._last: dict[str, float] = {}

    def of(self, name: str) -> Callable[[], None]:
        """Return what the loop of that *name* calls as it goes round; it counts as alive from now on."""
        self._beat(name)
        return lambda: self._beat(name)

    def silent(self) -> list[str]:
        """Return the loops that do not go round any more."""
        oldest = self._monotonic() - self.patience_seconds
        return [name for name, last in self._last.items() if last < oldest]

    def _beat(self, name: str) -> None:
        self._last[name] = self._monotonic()


async def first(work: Coroutine[object, object, object], end: Coroutine[object, object, object]) -> None:
    """Wait for *work*, or until *end* comes before it is done: then it is cancelled."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(end)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    error = outcomes[0]
    if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
        raise error
