"""What ``shipper state`` and ``shipper dlq`` do, whoever owns the state: a running agent or the command.

Arguments and results are plain JSON values, since they may have come through
the control socket. Taking files away from a running tailer and giving them
back is the agent's part: the hooks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from shipper.adapters.control import Handler
from shipper.adapters.dead_letters import DeadLetters, WhenFull
from shipper.adapters.offsets import Decision, Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.ledger import REWOUND
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import DeliveryError, UsageError
from shipper.pipeline.state_export import decision_view, export_view, life_view
from shipper.pipeline.state_rewind import Target, find, find_one, rewound

REPLAYED_AT_ONCE: Final = 500

KeysHook = Callable[[Sequence[FileKey]], Awaitable[None]]
ReplayHook = Callable[[Sequence[DeadLetter]], Awaitable[Sequence[str]]]
A = TypeVar("A")


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """``state.show``, ``state.forget``: *name* is an id (``12``, ``12.0``) or a path."""

    name: str


class Rewind(msgspec.Struct, forbid_unknown_fields=True):
    """``state.rewind``: *to* is an offset in bytes, ``start`` or ``end``."""

    name: str
    to: Target = "start"


class Listed(msgspec.Struct, forbid_unknown_fields=True):
    """``dlq.list``: the newest *limit* letters, of one source or reason where given."""

    limit: int = 1000
    source: str | None = None
    reason: str | None = None


class Letter(msgspec.Struct, forbid_unknown_fields=True):
    """``dlq.show``."""

    id: str


class Letters(msgspec.Struct, forbid_unknown_fields=True):
    """``dlq.replay``, ``dlq.drop``: these letters, or all for None."""

    ids: list[str] | None


async def _nothing(keys: Sequence[FileKey]) -> None:
    """No agent runs: nobody follows these files."""


class StateCommands:
    """The operations; *thread* owns the offset store and, on the same thread, the letters."""

    def __init__(
        self,
        thread: OffsetThread,
        letters: DeadLetters,
        now_ms: Callable[[], int],
        *,
        on_changing: KeysHook = _nothing,
        on_changed: KeysHook = _nothing,
        replay: ReplayHook | None = None,
    ) -> None:
        """Work on what the caller owns.

        Args:
            on_changing: Called before rows change: the agent settles these files and commits no row of
                theirs until *on_changed*, which is called in any case, also where nothing was changed.
            on_changed: The rows are durable (or gone): the agent reads them and seats the files anew.
            replay: Sends letters and returns the ids of those delivered.
        """
        self._thread = thread
        self._letters = letters
        self._now_ms = now_ms
        self._on_changing = on_changing
        self._on_changed = on_changed
        self._replay = replay

    def handlers(self) -> dict[str, Handler]:
        """Return the commands by their name on the control socket."""
        return {
            "state.list": self._list,
            "state.show": _taking(Named, self._show),
            "state.rewind": _taking(Rewind, self._rewind),
            "state.forget": _taking(Named, self._forget),
            "state.export": self._export,
            "dlq.list": _taking(Listed, self._list_letters),
            "dlq.show": _taking(Letter, self._show_letter),
            "dlq.replay": _taking(Letters, self._replay_letters),
            "dlq.drop": _taking(Letters, self._drop_letters),
        }

    async def _list(self, _: dict[str, object]) -> object:
        return [life_view(life) for life in await self._thread.run(OffsetStore.load)]

    async def _show(self, asked: Named) -> object:
        lives = find(await self._thread.run(OffsetStore.load), asked.name)
        decisions = list[Decision]()
        for file_id in dict.fromkeys(life.file_id for life in lives):
            decisions += await self._thread.run(partial(_decisions, file_id))
        return {
            "lives": [life_view(life) for life in lives],
            "decisions": [decision_view(decision) for decision in decisions],
        }

    async def _rewind(self, asked: Rewind) -> object:
        life = find_one(await self._thread.run(OffsetStore.load), asked.name)
        await self._on_changing([life.key])
        try:
            before, after = await self._thread.run(partial(_rewind, life.key, asked.to, self._now_ms()))
        finally:
            await self._on_changed([life.key])
        return {"from": before, **life_view(after)}

    async def _forget(self, asked: Named) -> object:
        keys = [life.key for life in find(await self._thread.run(OffsetStore.load), asked.name)]
        await self._on_changing(keys)
        try:
            await self._thread.run(partial(_forget, keys, self._now_ms()))
        finally:
            await self._on_changed(keys)
        return {"forgotten": [f"{key.file_id}.{key.generation}" for key in keys]}

    async def _export(self, _: dict[str, object]) -> object:
        lives = await self._thread.run(OffsetStore.load)
        return export_view(lives, self._now_ms())

    async def _list_letters(self, asked: Listed) -> object:
        letters = self._letters
        return await self._thread.run(
            lambda _: {
                "count": letters.count,
                "bytes": letters.bytes,
                "damaged": letters.damaged,
                "letters": [
                    msgspec.to_builtins(letter)
                    for letter in letters.list(asked.limit, source=asked.source, reason=asked.reason)
                ],
            }
        )

    async def _show_letter(self, asked: Letter) -> object:
        letter = await self._thread.run(lambda _: self._letters.show(asked.id))
        if letter is None:
            raise UsageError(f"{asked.id}: no such dead letter; see 'shipper dlq list'")
        return msgspec.to_builtins(letter)

    async def _drop_letters(self, asked: Letters) -> object:
        return {"dropped": await self._thread.run(lambda _: self._letters.drop(asked.ids))}

    async def _replay_letters(self, asked: Letters) -> object:
        if self._replay is None:
            raise UsageError("there is no endpoint to send to: give the configuration with -c")
        tried, delivered, problem = set[str](), 0, None
        while problem is None:
            batch = await self._thread.run(
                lambda _: self._letters.take_for_replay(asked.ids, limit=REPLAYED_AT_ONCE, skip=tried)
            )
            if not batch:
                break
            tried.update(letter.id for letter in batch)
            try:
                taken = await self._replay(batch)
            except DeliveryError as error:
                problem = str(error)
            else:
                # Dropped at once: what is delivered and not dropped would be delivered again.
                delivered += await self._thread.run(partial(_drop, self._letters, taken))
        left = await self._thread.run(lambda _: self._letters.count)
        return {"delivered": delivered, "tried": len(tried), "left": left, "problem": problem}


async def open_state(
    state_dir: Path, max_bytes: int, when_full: WhenFull, *, now_ms: int
) -> tuple[OffsetThread, DeadLetters]:
    """Lock *state_dir* and open offsets and dead letters, both on the one thread.

    Raises:
        StateError: As `OffsetStore.open` and `DeadLetters.open` say.
    """
    thread = await OffsetThread.open(state_dir, now_ms=now_ms)

    def open_letters(store: OffsetStore) -> DeadLetters:
        letters = DeadLetters.open(state_dir, max_bytes, when_full)
        store.letters = letters
        return letters

    try:
        return thread, await thread.run(open_letters)
    except BaseException:
        await thread.close()
        raise


def _taking(kind: type[A], call: Callable[[A], Awaitable[object]]) -> Handler:
    """Give *call* its arguments as *kind*."""

    def handler(args: dict[str, object]) -> Awaitable[object]:
        try:
            return call(msgspec.convert(args, kind))
        except msgspec.ValidationError as error:
            raise UsageError(f"wrong arguments: {error}") from error

    return handler


def _rewind(key: FileKey, target: Target, now_ms: int, store: OffsetStore) -> tuple[int, Life]:
    before = next((life for life in store.load() if life.key == key), None)
    if before is None:
        raise UsageError(f"{key.file_id}.{key.generation}: has gone from the offset store in the meantime")
    after = rewound(before, target, now_ms)
    store.decide(key, "rewound", f"by the operator, from {before.offset} to {after.offset}", now_ms)
    store.rewind(after, before.offset, REWOUND, now_ms)
    return before.offset, after


def _decisions(file_id: int, store: OffsetStore) -> list[Decision]:
    return store.decisions(file_id)


def _forget(keys: Sequence[FileKey], now_ms: int, store: OffsetStore) -> None:
    for key in keys:
        store.decide(key, "forgotten", "by the operator", now_ms)
    store.commit(gone=keys, now_ms=now_ms)


def _drop(letters: DeadLetters, letter_ids: Sequence[str], _: OffsetStore) -> int:
    return letters.drop(letter_ids)
