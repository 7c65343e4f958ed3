"""What the signals of a terminal and of a service ask of a run: to stop, to stop at once, to pause."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heard(
    stop: Callable[[], None], at_once: Callable[[], None] | None = None, pause: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hear signals as long as the block runs; on the event loop.

    Args:
        stop: For SIGTERM, and the first SIGINT.
        at_once: For further ones; None: Python's own way, KeyboardInterrupt.
        pause: For SIGTSTP; None: the process is stopped where it is.
    """
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        if at_once is not None:
            loop.add_signal_handler(signal.SIGINT, at_once)
        stop()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop)
    if pause is not None:
        loop.add_signal_handler(signal.SIGTSTP, pause)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTSTP):
            loop.remove_signal_handler(number)
