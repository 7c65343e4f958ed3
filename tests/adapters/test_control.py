"""The control socket: every request gets its answer, and only the owner can ask."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pytest

from shipper.adapters.control import ControlServer, Handler, NoAgent, Stream, ask, follow
from shipper.errors import ShipperError, StateDamaged, StateError, UsageError
from tests.patience import PATIENCE_SECONDS

T = TypeVar("T")


async def echo(args: dict[str, object]) -> object:
    return args


def failing(error: Exception) -> Handler:
    async def fail(_: dict[str, object]) -> object:
        raise error

    return fail


HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "refuse": failing(ShipperError("three letters stay")),
    "misuse": failing(UsageError("no such file")),
    "damaged": failing(StateDamaged("offsets.db: damaged")),
    "break": failing(ZeroDivisionError("secret")),
}


@asynccontextmanager
async def listening(server: ControlServer) -> AsyncIterator[ControlServer]:
    await server.start()
    try:
        yield server
    finally:
        await asyncio.wait_for(server.stop(), PATIENCE_SECONDS)


def serving(
    state_dir: Path,
    client: Callable[[], T],
    handlers: dict[str, Handler] = HANDLERS,
    streams: dict[str, Stream] | None = None,
) -> T:
    """Return what *client* returns, run in a thread while the server runs."""

    async def scenario() -> T:
        async with listening(ControlServer(state_dir, handlers, streams)) as server:
            found = await asyncio.to_thread(client)
            await server.stop()  # which can be said twice
        return found

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "args",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"path": "/var/log/caf\udce9.log", "name": "grüße\n\"'"}, id="any_text"),
        pytest.param({"rows": [{"id": number, "text": "x" * 100} for number in range(20_000)]}, id="megabytes"),
    ],
)
def test_an_answer_is_what_the_handler_returned(args: dict[str, object], tmp_path: Path) -> None:
    assert serving(tmp_path, lambda: ask(tmp_path, "echo", args)) == args


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        ("refuse", ShipperError, "three letters stay"),
        ("misuse", UsageError, "no such file"),
        ("damaged", StateError, r"offsets\.db: damaged"),
        ("unknown", UsageError, "not a request"),
    ],
)
def test_an_error_keeps_its_message_and_exit_code(
    command: str, kind: type[ShipperError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message) as caught:
        serving(tmp_path, lambda: ask(tmp_path, command, {}))

    assert caught.value.exit_code == kind.exit_code


def test_what_no_one_expected_is_answered_without_its_text_and_stops_the_agent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(ControlServer(tmp_path, HANDLERS)) as server:
            with pytest.raises(ShipperError, match=r"the agent failed: ZeroDivisionError$"):
                await asyncio.to_thread(ask, tmp_path, "break", {})
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(server.failed(), PATIENCE_SECONDS)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_line",
    [b"\n", b"[]\n", b'"state.list"\n', b"{not json}\n", b'{"command": ["echo"]}\n',
     b'{"command": "echo", "args": 5}\n', b'{"args": {}}\n', b"\xff\xfe\n"],
)  # fmt: skip
def test_a_request_that_is_none_is_answered_and_the_connection_goes_on(request_line: bytes, tmp_path: Path) -> None:
    def client() -> list[dict[str, object]]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / "control.sock"))
            connection.sendall(request_line + b'{"command": "echo", "args": {"a": 1}}\n')
            with connection.makefile("rb") as answers:
                return [json.loads(answers.readline()) for _ in range(2)]

    wrong, right = serving(tmp_path, client)

    assert (wrong["ok"], wrong["exit"]) == (False, 2)
    assert right == {"ok": True, "result": {"a": 1}}


def test_only_the_owner_can_connect_and_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    mode = serving(tmp_path, lambda: path.stat().st_mode)

    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    assert not path.exists()


def test_a_socket_that_a_killed_agent_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))

    assert serving(tmp_path, lambda: ask(tmp_path, "echo", {"a": 1})) == {"a": 1}


def test_a_state_dir_with_a_long_path_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)

    assert serving(deep, lambda: ask(deep, "echo", {"a": 1})) == {"a": 1}


def test_no_agent_is_said_where_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(NoAgent):
        ask(tmp_path / "missing", "echo", {})
    with pytest.raises(NoAgent):
        ask(tmp_path, "echo", {})
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    with pytest.raises(NoAgent, match=r"control\.sock"):
        ask(tmp_path, "echo", {})


def test_an_agent_that_does_not_answer_in_time_is_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / "control.sock"))
        hanging.listen()

        with pytest.raises(NoAgent, match=r"no answer within 0\.05 seconds"):
            ask(tmp_path, "echo", {}, timeout=0.05)


@asynccontextmanager
async def connected(state_dir: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(state_dir / "control.sock"), limit=1)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await writer.wait_closed()


def test_stop_ends_connections_that_are_open(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        async with listening(ControlServer(tmp_path, {"wait": waiting})) as server, connected(tmp_path) as connection:
            reader, writer = connection
            writer.write(b'{"command": "wait"}\n')
            await asyncio.wait_for(entered.wait(), PATIENCE_SECONDS)
            await asyncio.wait_for(server.stop(), PATIENCE_SECONDS)
            return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)

    entered = asyncio.Event()

    async def waiting(_: dict[str, object]) -> object:
        entered.set()
        return await asyncio.Event().wait()

    assert asyncio.run(scenario()) == b""


# -- streams -------------------------------------------------------------------------------------


async def five(args: dict[str, object]) -> AsyncGenerator[bytes, None]:
    for number in range(5):
        yield json.dumps({"number": number, **args}).encode()


def streaming(state_dir: Path, streams: dict[str, Stream], client: Callable[[], T]) -> T:
    return serving(state_dir, client, {"echo": echo}, streams)


def test_a_stream_arrives_whole_and_in_order(tmp_path: Path) -> None:
    def client() -> list[object]:
        return [json.loads(result) for result in follow(tmp_path, "five", {"of": "grüße"})]

    assert streaming(tmp_path, {"five": five}, client) == [{"number": n, "of": "grüße"} for n in range(5)]


@pytest.mark.parametrize("silent", [False, True], ids=["talking", "silent"])
def test_a_stream_ends_in_the_agent_when_the_client_leaves(silent: bool, tmp_path: Path) -> None:
    async def scenario() -> list[bytes]:
        ended = asyncio.Event()

        async def endless(_: dict[str, object]) -> AsyncGenerator[bytes, None]:
            try:
                for _number in range(3 if silent else 1 << 30):
                    yield b"1"
                    await asyncio.sleep(0)
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with listening(ControlServer(tmp_path, {}, {"endless": endless})):
            some = await asyncio.to_thread(lambda: list(islice(follow(tmp_path, "endless", {}), 3)))
            await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        return some

    assert asyncio.run(scenario()) == [b"1", b"1", b"1"]


def test_a_client_that_does_not_read_holds_up_its_own_stream_only(tmp_path: Path) -> None:
    async def scenario() -> object:
        sent = 0

        async def large(_: dict[str, object]) -> AsyncGenerator[bytes, None]:
            nonlocal sent
            while True:
                sent += 1
                yield b'"' + b"x" * 100_000 + b'"'

        async with (
            listening(ControlServer(tmp_path, {"echo": echo}, {"large": large})),
            connected(tmp_path) as (_reader, writer),
        ):
            writer.write(b'{"command": "large"}\n')
            before = -1
            while before != sent or not sent:
                before = sent
                answer = await asyncio.to_thread(ask, tmp_path, "echo", {"a": 1})
            assert sent < 100
            return answer

    assert asyncio.run(scenario()) == {"a": 1}


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (UsageError("no such source: shop"), UsageError, "no such source: shop"),
        (ZeroDivisionError("secret"), ShipperError, r"the agent failed: ZeroDivisionError$"),
    ],
)
def test_an_error_in_a_stream_is_its_last_word(
    error: Exception, kind: type[ShipperError], message: str, tmp_path: Path
) -> None:
    async def breaking(_: dict[str, object]) -> AsyncGenerator[bytes, None]:
        yield b"1"
        raise error

    def client() -> list[bytes]:
        got: list[bytes] = []
        with pytest.raises(kind, match=message):
            got.extend(follow(tmp_path, "breaking", {}))
        return got

    assert streaming(tmp_path, {"breaking": breaking}, client) == [b"1"]
