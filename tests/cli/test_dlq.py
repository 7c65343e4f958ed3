"""`shipper dlq` as an operator runs it: with and without an agent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import OffsetStore
from shipper.cli.dlq import dlq
from shipper.core.letters import UNNAMED, DeadLetter
from shipper.errors import ShipperError, UsageError
from tests.cli.running_agent import running_agent
from tests.patience import PATIENCE_SECONDS

NOW_MS = 1_795_464_000_000
LARGE_BYTES = 1 << 30


def letter(start: int, **changes: object) -> DeadLetter:
    base = DeadLetter(
        at="2026-11-23T19:00:00.000Z", source="shop", path="/a.log", file_id=1, generation=0, start=start,
        end=start + 9, reason="rejected", status=400, detail="[no] text", event={"content": f"event {start}"},
    )  # fmt: skip
    return msgspec.convert({**msgspec.to_builtins(base), **changes}, DeadLetter)


LETTERS = [
    letter(10),
    letter(20, source="web"),
    letter(30, part=1, reason="too_large", status=413),
    letter(40, reason=UNNAMED, status=200, event=None),
]
IDS = ["1.0.10", "1.0.20", "1.0.30.1", "1.0.40u"]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    store = OffsetStore.open(directory, now_ms=NOW_MS)
    DeadLetters.open(directory, LARGE_BYTES, "stop").append(LETTERS)
    store.close()
    return directory


def run(state_dir: Path, *args: str) -> Result:
    result = CliRunner().invoke(dlq, [*args, "--state-dir", str(state_dir)])
    if result.exception and not isinstance(result.exception, ShipperError | SystemExit):
        raise result.exception
    return result


def left(state_dir: Path) -> list[str]:
    return [found.id for found in DeadLetters.open(state_dir, LARGE_BYTES, "stop").list()][::-1]


agents = pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])


@agents
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], IDS[::-1]),
        (["--limit", "2"], ["1.0.40u", "1.0.30.1"]),
        (["--source", "web"], ["1.0.20"]),
        (["--reason", "too_large"], ["1.0.30.1"]),
    ],
    ids=["all", "limit", "source", "reason"],
)
def test_list_shows_the_newest_first(options: list[str], ids: list[str], agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        text = run(state_dir, "list", *options).stdout.splitlines()
        listed = json.loads(run(state_dir, "list", *options, "--json").stdout)

    assert [found["id"] for found in listed["letters"]] == ids
    assert listed["count"] == 4
    assert [line.split()[0] for line in text[1:-1]] == ids
    assert text[-1] == f"4 dead letters, {listed['bytes']} bytes; shown: {len(ids)}"


def test_brackets_in_a_reason_are_not_taken_for_styles(state_dir: Path) -> None:
    assert "[no] text" in run(state_dir, "list").stdout


@agents
def test_show_prints_the_event(agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        text = run(state_dir, "show", "1.0.10").stdout
        shown = json.loads(run(state_dir, "show", "1.0.10", "--json").stdout)
        without = run(state_dir, "show", "1.0.40u").stdout

    assert "event 10" in text
    assert msgspec.convert(shown, DeadLetter) == LETTERS[0]
    assert "cannot be sent again" in without


@agents
@pytest.mark.parametrize(
    ("args", "exit_code", "stays"),
    [
        (["1.0.20", "1.0.40u"], 0, ["1.0.10", "1.0.30.1"]),
        (["1.0.20", "9.9.9"], 1, ["1.0.10", "1.0.30.1", "1.0.40u"]),
        (["--all"], 0, []),
    ],
    ids=["some", "one_unknown", "all"],
)
def test_drop_deletes_the_letters_named(
    args: list[str], exit_code: int, stays: list[str], agent: bool, state_dir: Path
) -> None:
    with running_agent(state_dir, agent):
        result = run(state_dir, "drop", *args)

    assert result.exit_code == exit_code
    assert left(state_dir) == stays


@pytest.mark.parametrize(
    ("args", "exit_code", "stays"),
    [
        (["1.0.20"], 0, ["1.0.10", "1.0.30.1", "1.0.40u"]),
        (["1.0.20", "1.0.30.1"], 1, ["1.0.10", "1.0.30.1", "1.0.40u"]),
        (["--all"], 1, ["1.0.30.1", "1.0.40u"]),
    ],
    ids=["one", "one_refused", "all"],
)
def test_replay_goes_through_a_running_agent(
    args: list[str], exit_code: int, stays: list[str], state_dir: Path
) -> None:
    with running_agent(state_dir, True):
        result = run(state_dir, "replay", *args)

    assert result.exit_code == exit_code
    assert left(state_dir) == stays


@agents
@pytest.mark.parametrize("args", [["drop"], ["replay"], ["drop", "--all", "1.0.10"], ["show", "9.9.9"]])
def test_a_wrong_command_is_exit_2(args: list[str], agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        result = run(state_dir, *args)

    assert isinstance(result.exception, UsageError)
    assert left(state_dir) == IDS


def test_replay_without_an_agent_needs_a_configuration(state_dir: Path) -> None:
    result = run(state_dir, "replay", "--all")

    assert isinstance(result.exception, UsageError)
    assert "-c" in str(result.exception)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[str]]]:
    """An endpoint on a free port and what it has taken; it refuses 'event 20'."""
    taken, ready, addresses = list[str](), threading.Event(), list[str]()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def ingest(request: web.Request) -> web.Response:
        contents = [event["content"] for event in json.loads(await request.read())]
        if "event 20" in contents:
            return web.Response(status=400)
        taken.extend(contents)
        return web.Response(status=204)

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v2/logs/ingest", ingest)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        addresses.append(f"http://127.0.0.1:{runner.addresses[0][1]}/v2/logs/ingest")
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    yield addresses[0], taken
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE_SECONDS)
    loop.close()


def test_replay_without_an_agent_posts_to_the_configured_endpoint(
    endpoint: tuple[str, list[str]], state_dir: Path, tmp_path: Path
) -> None:
    url, taken = endpoint
    config = tmp_path / "agent.yaml"
    config.write_text(
        f"state_dir: {state_dir}\nendpoint: {{url: '{url}'}}\nsources: [{{name: shop, paths: [/nowhere/*.log]}}]\n"
    )

    result = CliRunner().invoke(dlq, ["replay", "--all", "-c", str(config)], catch_exceptions=False)

    assert result.exit_code == 1
    assert result.stdout == "delivered 2 of 3; 2 letters left\n"
    assert taken == ["event 10", "event 30"]
    assert left(state_dir) == ["1.0.20", "1.0.40u"]
