"""`shipper endpoint` as it runs: sockets, store, server and forwarder put together, and ended in the right order.

Stopped by SIGTERM, SIGINT or SIGHUP, or, for a parent that must not leave us
behind, by the end of standard input. A part that fails by itself ends the
whole with its error: half alive is worse than restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import threading
import time
from typing import Final, cast

import msgspec

from shipper.endpoint import listening
from shipper.endpoint.forwarder import Forwarder
from shipper.endpoint.model import Context, LogRecord
from shipper.endpoint.options import MOST_CONNECTIONS, Plan
from shipper.endpoint.protocol import common_attributes, limits_for, map_event, plain_record
from shipper.endpoint.protocol.flatten import Event
from shipper.endpoint.saying import say
from shipper.endpoint.server import EndpointServer
from shipper.endpoint.store import Outline, Store
from shipper.errors import StateError
from shipper.service_notify import Notifier

_SPARE_DESCRIPTORS: Final = 200  # for the store, the forwarder and Python itself
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def record_of(event: dict[str, object], context: Context) -> LogRecord:
    """Return *event* as a reader gets it, by the limits of the profile it came under."""
    return map_event(cast(Event, event), context, limits_for(context.profile))


def _plain(event: dict[str, object], context: Context) -> LogRecord | None:
    return plain_record(cast(Event, event), context, limits_for(context.profile))


OUTLINE: Final = Outline(_plain, lambda context: common_attributes(context.format))


def run(plan: Plan) -> None:
    """Serve until told to stop.

    Raises:
        StateError: the disk failed.
        ShipperError: the port, the store or the forwarder cannot be used.
    """
    most_connections = _raise_descriptor_limit()
    sockets = listening.listen(plan.host, plan.port)
    try:
        with _event_loop() as runner:
            runner.run(_serve(plan, sockets, most_connections))
    except OSError as error:
        # Of the store: a request met it first and got a 500.
        raise StateError(
            f"{plan.store}: {error.strerror or error}; mend the disk and start the endpoint again"
        ) from error
    finally:
        for listener in sockets:
            listener.close()


async def _serve(plan: Plan, sockets: list[socket.socket], most_connections: int) -> None:
    stop = asyncio.Event()
    notifier = Notifier.from_environment(os.environ)
    _stop_on_signals(stop)
    if plan.until_stdin_closes:
        _stop_when_stdin_closes(stop)
    store = Store.open(
        plan.store,
        mapper=record_of,
        outline=OUTLINE,
        max_bytes=plan.max_bytes,
        max_age_ms=plan.max_age_ms,
        now_ms=now_ms,
    )
    try:
        forwarder = _forwarder(plan, store)
        numbers = dict[str, object] if forwarder is None else forwarder.stats
        settings = msgspec.structs.replace(plan.settings, most_connections=most_connections)
        server = EndpointServer(store, settings, now_ms, numbers)
        await server.start(sockets)
        _say_ready(plan.host, sockets)
        notifier.ready(f"port {sockets[0].getsockname()[1]}")
        try:
            await _until(stop, server.fault, forwarder, notifier)
        finally:
            notifier.stopping()
            await server.stop()
    finally:
        await store.close()


def _forwarder(plan: Plan, store: Store) -> Forwarder | None:
    if plan.forward_url is None:
        return None
    return Forwarder(store.backlog(), plan.forward_url, plan.read_token, ca_file=plan.ca_file)


async def _until(
    stop: asyncio.Event, fault: asyncio.Future[object], forwarder: Forwarder | None, notifier: Notifier
) -> None:
    """Wait for *stop*; raise what made a part end before."""
    waiting: set[asyncio.Future[object]] = {asyncio.ensure_future(stop.wait()), fault}
    if notifier.watchdog_seconds is not None:
        waiting.add(asyncio.ensure_future(_feed(notifier, notifier.watchdog_seconds / 2)))
    if forwarder is not None:
        waiting.add(asyncio.ensure_future(forwarder.run()))
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for part in waiting:
        part.cancel()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome


async def _feed(notifier: Notifier, seconds: float) -> None:
    """Tell the service manager's watchdog that this loop goes round; what fails by itself is seen in `_until`."""
    while True:
        notifier.alive()
        await asyncio.sleep(seconds)


def _say_ready(host: str, sockets: list[socket.socket]) -> None:
    """Print the one line that scripts and the agent wait for."""
    address = listening.addresses(host)[0]
    name = f"[{address}]" if ":" in address else address
    print(f"event=endpoint_ready url=http://{name}:{sockets[0].getsockname()[1]}/", flush=True)  # noqa: T201 -- its purpose
    say("endpoint_listening", addresses=",".join(listener.getsockname()[0] for listener in sockets))


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)


def _stop_when_stdin_closes(stop: asyncio.Event) -> None:
    """Watch in a thread: standard input may be a file or /dev/null, which no event loop can wait for."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4_096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _raise_descriptor_limit() -> int:
    """Take all descriptors the system grants; return how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(_SPARE_DESCRIPTORS, min(MOST_CONNECTIONS, soft - _SPARE_DESCRIPTORS))


def _event_loop() -> asyncio.Runner:
    """Return a runner; uvloop's loop where the extra `speed` is installed."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 -- an optional extra

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()
