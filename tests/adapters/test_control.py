"""The control socket: every request gets its answer, and only the owner can ask."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from shipper.adapters.control import ControlServer, Handler, NoAgent, ask
from shipper.errors import ShipperError, StateDamaged, StateError, UsageError

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


def serving(state_dir: Path, client: Callable[[], T]) -> T:
    """Return what *client* returns, run in a thread while the server runs."""

    async def scenario() -> T:
        server = ControlServer(state_dir, HANDLERS)
        await server.start()
        try:
            return await asyncio.to_thread(client)
        finally:
            await server.stop()
            await server.stop()

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
        server = ControlServer(tmp_path, HANDLERS)
        await server.start()
        try:
            with pytest.raises(ShipperError, match=r"the agent failed: ZeroDivisionError$"):
                await asyncio.to_thread(ask, tmp_path, "break", {})
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(server.failed(), 10)
        finally:
            await server.stop()

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


def test_stop_ends_connections_that_are_open(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        server = ControlServer(tmp_path, {"wait": waiting})
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b'{"command": "wait"}\n')
        await asyncio.wait_for(entered.wait(), 10)
        await asyncio.wait_for(server.stop(), 10)
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        return rest

    entered = asyncio.Event()

    async def waiting(_: dict[str, object]) -> object:
        entered.set()
        return await asyncio.Event().wait()

    assert asyncio.run(scenario()) == b""
