"""The control socket: how commands reach a running agent.

``state_dir/control.sock``, mode 0600. One JSON object a line each way:
``{"command": "state.list", "args": {...}}`` is answered by
``{"ok": true, "result": ...}`` or ``{"ok": false, "error": "...", "exit": 1}``
with the exit code of the command line. What a command does is its handler's
business. Text that is no Unicode (names of files) travels as JSON's surrogate
escapes, which is why the standard library's encoder is used here.

Some commands are streams: one such answer a line until the client hangs up or
the stream ends, and the connection with it. A client that reads slowly slows
its own stream down and nothing else: what a stream does meanwhile (drop and
count) is its own business.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from shipper.errors import ShipperError, StateError, StateLocked, UsageError

SOCKET: Final = "control.sock"
_MAX_REQUEST_BYTES: Final = 4 << 20
_READ_BYTES: Final = 1 << 16
_OK: Final = b'{"ok":true,"result":'  # what an answer begins with that is no refusal

Handler = Callable[[dict[str, object]], Awaitable[object]]
Stream = Callable[[dict[str, object]], AsyncGenerator[bytes, None]]
"""Yields JSON values, encoded: the events of a tap are passed on as they were sent."""


class NoAgent(ShipperError):
    """Nothing answers on the control socket."""


class ControlServer:
    """Serves one state directory's socket; the caller holds its lock.

    An error of ours becomes the answer; any other exception of a handler is
    answered as well and then raised by `failed`, for the agent to stop on.
    """

    def __init__(
        self, state_dir: Path, handlers: Mapping[str, Handler], streams: Mapping[str, Stream] | None = None
    ) -> None:
        """Serve *handlers* and *streams*, by command, once `start` is called."""
        self._state_dir = state_dir
        self._handlers = handlers
        self._streams = streams or {}
        self._server: asyncio.Server | None = None
        self._connections = set[asyncio.Task[None]]()
        self._failure: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Listen; a socket that an earlier agent left is replaced, since we hold the lock.

        Raises:
            StateError: The socket cannot be made.
        """
        self._failure = asyncio.get_running_loop().create_future()
        try:
            listener = _listen(self._state_dir)
        except OSError as error:
            raise StateError(f"{self._state_dir / SOCKET}: {error.strerror or error}") from error
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_MAX_REQUEST_BYTES)

    async def failed(self) -> None:
        """Wait until a handler raises what is no error of ours, and raise it."""
        if self._failure is None:
            raise RuntimeError("not started")
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Stop listening, end the connections, remove the socket; a second call does nothing."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()
        with suppress(OSError):  # gone already, or the disk takes nothing any more: the next agent replaces it
            (self._state_dir / SOCKET).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        # Hanging up early is the client's right; cancelling is how `stop` ends us.
        with suppress(ConnectionError, asyncio.CancelledError):
            try:
                await self._answer_all(reader, writer)
            finally:
                writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                answer = _refusal(f"a request is over {_MAX_REQUEST_BYTES} bytes", 2)
                writer.write(_line(answer))
                await writer.drain()
                return
            if not line.endswith(b"\n"):
                return
            asked = _request(line)
            stream = self._streams.get(asked.command) if asked is not None else None
            if asked is not None and stream is not None:
                await self._stream(stream(asked.args), reader, writer)
                return
            writer.write(_line(await self._answer(asked)))
            await writer.drain()

    async def _stream(
        self, values: AsyncGenerator[bytes, None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send *values* until they end or the client hangs up."""
        sending = asyncio.ensure_future(self._send_all(values, writer))
        leaving = asyncio.ensure_future(reader.read(1))  # the client says nothing more: what comes is its end
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, values: AsyncGenerator[bytes, None], writer: asyncio.StreamWriter) -> None:
        try:
            async with aclosing(values):
                async for value in values:
                    writer.write(_OK + value + b"}\n")
                    await writer.drain()
        except ConnectionError:
            return
        except Exception as error:  # noqa: BLE001 -- as in `_answer`
            writer.write(_line(self._refused(error)))
            with suppress(ConnectionError):
                await writer.drain()

    async def _answer(self, asked: _Request | None) -> dict[str, object]:
        handler = self._handlers.get(asked.command) if asked is not None else None
        if asked is None or handler is None:
            return _refusal("not a request that this agent knows", 2)
        try:
            return {"ok": True, "result": await handler(asked.args)}  # begins as _OK does
        except Exception as error:  # noqa: BLE001 -- the outermost frame of a connection; the agent stops on it
            return self._refused(error)

    def _refused(self, error: Exception) -> dict[str, object]:
        if isinstance(error, ShipperError):
            return _refusal(str(error), error.exit_code)
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)
        return _refusal(f"the agent failed: {type(error).__name__}", 1)


class _Request(NamedTuple):
    command: str
    args: dict[str, object]


def _request(line: bytes) -> _Request | None:
    try:
        request = json.loads(line)
        command, args = request["command"], request.get("args", {})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return _Request(command, args) if isinstance(command, str) and isinstance(args, dict) else None


def ask(state_dir: Path, command: str, args: Mapping[str, object], timeout: float = 30.0) -> object:
    """Return the running agent's result of *command*; *timeout*: seconds of silence.

    Raises:
        NoAgent: Nobody listens, or no answer came in time.
        ShipperError: The agent's own, as the class that has its exit code.
    """
    with closing(follow(state_dir, command, args, timeout)) as results:
        for result in results:
            return json.loads(result)
    raise NoAgent(f"{state_dir / SOCKET}: the agent hung up before it answered")


def follow(
    state_dir: Path, command: str, args: Mapping[str, object], timeout: float = 30.0
) -> Generator[bytes, None, None]:
    """Yield the results of the stream *command*, as they were encoded, until the agent ends it.

    Closing the generator hangs up.

    Raises:
        NoAgent: Nobody listens, or *timeout* seconds passed without a word.
        ShipperError: The agent's own, as the class that has its exit code.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _address(state_dir) as address:
            connection.settimeout(timeout)
            connection.connect(address)
            connection.sendall(_line({"command": command, "args": dict(args)}))
            for line in _lines(connection):
                if not line.startswith(_OK):
                    raise _error_of(json.loads(line))
                yield line[len(_OK) : -1]
    except TimeoutError as error:
        raise NoAgent(f"{state_dir / SOCKET}: no answer within {timeout:g} seconds") from error
    except OSError as error:
        raise NoAgent(f"{state_dir / SOCKET}: {error.strerror or error}") from error


def _lines(connection: socket.socket) -> Iterator[bytes]:
    received = bytearray()
    while piece := connection.recv(_READ_BYTES):
        received += piece
        if b"\n" not in piece:
            continue
        *lines, rest = bytes(received).split(b"\n")
        received = bytearray(rest)
        yield from lines


def _error_of(answer: Mapping[str, object]) -> ShipperError:
    kinds = {kind.exit_code: kind for kind in (ShipperError, UsageError, StateError, StateLocked)}
    exit_code = answer.get("exit")
    kind = kinds.get(exit_code, ShipperError) if isinstance(exit_code, int) else ShipperError
    return kind(str(answer.get("error")))


def _refusal(error: str, exit_code: int) -> dict[str, object]:
    return {"ok": False, "error": error, "exit": exit_code}


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _listen(state_dir: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        (state_dir / SOCKET).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux takes the new name's mode from the socket: at no moment could others connect.
        os.fchmod(listener.fileno(), 0o600)
        with _address(state_dir) as address:
            listener.bind(address)
            if os.geteuid() == 0:
                owner = state_dir.stat()
                os.chown(address, owner.st_uid, owner.st_gid)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def _address(state_dir: Path) -> Iterator[str]:
    """The socket's name by way of the open directory: an address has 107 bytes, a path may have more."""
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET}"
    finally:
        os.close(directory)
