"""What state and dlq do, on real state: the same through an agent's hooks and without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.letters import UNNAMED, DeadLetter
from shipper.core.model import FileKey
from shipper.errors import EndpointUnreachable, StateError, UsageError
from shipper.pipeline.state_commands import StateCommands, open_state
from shipper.pipeline.state_export import restore

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
LARGE_BYTES = 1 << 30
T = TypeVar("T")


def life(file_id: int, generation: int = 0, offset: int = 40) -> Life:
    return Life(
        file_id=file_id, generation=generation, source="shop", path=f"/nowhere/{file_id}.log", device=1,
        inode=file_id, offset=offset, size=100, born_ms=NOW_MS, changed_ms=NOW_MS, counters={"read": 3},
    )  # fmt: skip


def letter(start: int, **changes: object) -> DeadLetter:
    base = DeadLetter(
        at="2026-11-23T19:00:00.000Z", source="shop", path="/a", file_id=1, generation=0, start=start,
        end=start + 1, reason="rejected", event={"content": f"event {start}"},
    )  # fmt: skip
    return msgspec.convert({**msgspec.to_builtins(base), **changes}, DeadLetter)


class Agent:
    """Notes what its hooks are told and what the rows are at that moment."""

    def __init__(self, thread: OffsetThread) -> None:
        self.heard: list[tuple[str, list[FileKey], dict[FileKey, int]]] = []
        self._thread = thread

    async def changing(self, keys: Sequence[FileKey]) -> None:
        self.heard.append(("changing", list(keys), await self._offsets()))

    async def changed(self, keys: Sequence[FileKey]) -> None:
        self.heard.append(("changed", list(keys), await self._offsets()))

    async def _offsets(self) -> dict[FileKey, int]:
        return {row.key: row.offset for row in await self._thread.run(OffsetStore.load)}


Scenario = Callable[[StateCommands, OffsetThread, DeadLetters, Agent], Awaitable[T]]
Replay = Callable[[Sequence[DeadLetter]], Awaitable[Sequence[str]]]


def with_state(
    tmp_path: Path, scenario: Scenario[T], letters: Sequence[DeadLetter] = (), replay: Replay | None = None
) -> T:
    async def run() -> T:
        thread, kept = await open_state(tmp_path, LARGE_BYTES, "stop", now_ms=NOW_MS)
        try:
            rows = [life(1, 0), life(1, 1), life(2)]
            await thread.run(lambda store: store.commit(rows, letters=letters))
            agent = Agent(thread)
            commands = StateCommands(
                thread,
                kept,
                lambda: NOW_MS,
                on_changing=agent.changing,
                on_changed=agent.changed,
                replay=replay,
            )
            return await scenario(commands, thread, kept, agent)
        finally:
            await thread.close()

    return asyncio.run(run())


async def ask(commands: StateCommands, command: str, **args: object) -> dict[str, object]:
    result = await commands.handlers()[command](args)
    assert isinstance(result, dict)
    return result


def test_a_rewind_is_durable_between_the_two_hooks_and_noted(tmp_path: Path) -> None:
    async def scenario(
        commands: StateCommands, thread: OffsetThread, _: DeadLetters, agent: Agent
    ) -> tuple[dict[str, object], Agent, dict[str, object]]:
        result = await ask(commands, "state.rewind", name="2", to=7)
        return result, agent, await ask(commands, "state.show", name="2")

    result, agent, shown = with_state(tmp_path, scenario)

    assert (result["id"], result["from"], result["offset"]) == ("2.0", 40, 7)
    assert [(word, keys, offsets[FileKey(2, 0)]) for word, keys, offsets in agent.heard] == [
        ("changing", [FileKey(2, 0)], 40),
        ("changed", [FileKey(2, 0)], 7),
    ]
    assert shown["decisions"] == [
        {
            "id": "2.0",
            "at": "2026-11-23T20:00:00.000Z",
            "what": "rewound",
            "evidence": "by the operator, from 40 to 7",
        }
    ]


def test_an_agent_gets_its_file_back_when_a_rewind_is_refused(tmp_path: Path) -> None:
    async def scenario(commands: StateCommands, _t: OffsetThread, _: DeadLetters, agent: Agent) -> Agent:
        with pytest.raises(UsageError, match="outside"):
            await ask(commands, "state.rewind", name="2", to=101)
        return agent

    agent = with_state(tmp_path, scenario)

    assert [word for word, _, _ in agent.heard] == ["changing", "changed"]


@pytest.mark.parametrize(("name", "gone"), [("1", ["1.0", "1.1"]), ("1.0", ["1.0"]), ("/nowhere/2.log", ["2.0"])])
def test_forget_removes_the_rows_that_were_meant(name: str, gone: list[str], tmp_path: Path) -> None:
    async def scenario(
        commands: StateCommands, thread: OffsetThread, _: DeadLetters, agent: Agent
    ) -> tuple[dict[str, object], list[Life], Agent]:
        return await ask(commands, "state.forget", name=name), await thread.run(OffsetStore.load), agent

    result, left, agent = with_state(tmp_path, scenario)

    assert result == {"forgotten": gone}
    assert {f"{row.file_id}.{row.generation}" for row in left} == {"1.0", "1.1", "2.0"} - set(gone)
    assert [len(keys) for _, keys, _ in agent.heard] == [len(gone)] * 2


def test_an_export_restores_to_the_same_rows(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(life(3), path="/caf\udce9", head_digest=b"\x00\xff", carry=b'{"stamp_ms":5}')

    async def scenario(
        commands: StateCommands, thread: OffsetThread, _: DeadLetters, agent: Agent
    ) -> tuple[dict[str, object], list[Life]]:
        await thread.run(lambda store: store.commit([odd]))
        return await ask(commands, "state.export"), await thread.run(OffsetStore.load)

    exported, rows = with_state(tmp_path / "old", scenario)
    file = tmp_path / "export.json"
    file.write_text(json.dumps(exported))

    restore(tmp_path / "new", file, NOW_MS)

    store = OffsetStore.open(tmp_path / "new", now_ms=NOW_MS)
    assert store.load() == rows
    assert odd in rows
    store.close()


@pytest.mark.parametrize(
    "content",
    ["", "not json", "[]", '{"format": "shipper-state", "version": 2, "exported": "", "lives": []}',
     '{"format": "shipper-state", "version": 1, "exported": "", "lives": [{"file_id": "x"}]}'],
)  # fmt: skip
def test_a_file_that_is_no_export_changes_nothing(content: str, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(content)

    with pytest.raises(UsageError, match=r"export\.json: neither"):
        restore(tmp_path / "state", file, NOW_MS)

    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("state.rewind", {"name": "1", "to": "middle"}),
        ("state.rewind", {"to": 5}),
        ("state.show", {"name": 5}),
        ("state.forget", {"name": "1", "really": True}),
        ("dlq.drop", {}),
        ("dlq.list", {"limit": "all"}),
        ("dlq.show", {"id": "1.0.5"}),
        ("dlq.replay", {"ids": None}),
    ],
)
def test_wrong_arguments_and_names_are_refused(command: str, args: dict[str, object], tmp_path: Path) -> None:
    async def scenario(commands: StateCommands, _t: OffsetThread, _: DeadLetters, agent: Agent) -> Agent:
        with pytest.raises(UsageError):
            await commands.handlers()[command](args)
        return agent

    assert with_state(tmp_path, scenario).heard == []


class Endpoint:
    """Takes the letters with an even start; answers nothing after *answers* calls."""

    def __init__(self, answers: int = 1000) -> None:
        self.batches: list[int] = []
        self._answers = answers

    async def __call__(self, letters: Sequence[DeadLetter]) -> Sequence[str]:
        if len(self.batches) == self._answers:
            raise EndpointUnreachable("http://127.0.0.1: connection refused")
        self.batches.append(len(letters))
        return [found.id for found in letters if found.start % 2 == 0]


LETTERS = [*(letter(start) for start in range(1100)), letter(2000, reason=UNNAMED, event=None)]


@pytest.mark.parametrize(
    ("ids", "answers", "expected", "batches"),
    [
        pytest.param(
            None, 9, {"delivered": 550, "tried": 1100, "left": 551, "problem": None},
            [500, 500, 100], id="all",
        ),
        pytest.param(
            ["1.0.4", "1.0.5", "1.0.2000u"], 9, {"delivered": 1, "tried": 2, "left": 1100, "problem": None},
            [2], id="some",
        ),
        pytest.param(
            None, 1,
            {"delivered": 250, "tried": 1000, "left": 851, "problem": "http://127.0.0.1: connection refused"},
            [500], id="endpoint_goes_away",
        ),
    ],
)  # fmt: skip
def test_replay_drops_what_was_delivered_and_nothing_else(
    ids: list[str] | None, answers: int, expected: dict[str, object], batches: list[int], tmp_path: Path
) -> None:
    endpoint = Endpoint(answers)

    async def scenario(
        commands: StateCommands, _: OffsetThread, letters: DeadLetters, agent: Agent
    ) -> tuple[dict[str, object], int]:
        return await ask(commands, "dlq.replay", ids=ids), letters.count

    result, left = with_state(tmp_path, scenario, LETTERS, endpoint)

    assert result == expected
    assert left == expected["left"]
    assert endpoint.batches == batches


def test_letters_that_cannot_be_opened_give_the_lock_back(tmp_path: Path) -> None:
    (tmp_path / "dead_letters").write_text("a file")

    with pytest.raises(StateError, match="dead_letters"):
        asyncio.run(open_state(tmp_path, LARGE_BYTES, "stop", now_ms=NOW_MS))

    OffsetStore.open(tmp_path, now_ms=NOW_MS).close()
