"""A process killed between any two instructions of its commits leaves one of the states that it committed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import OffsetStore

NOW_MS = 1_795_464_000_000
FILES = 20
# One turn: FILES rows and two letters; said once they are durable. A restart begins with the turn after the
# last committed one, so it refuses the same bytes again that a killed turn may have refused.
AGENT = f"""
import sys
from pathlib import Path
from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import Life, OffsetStore
from shipper.core.letters import DeadLetter

state_dir = Path(sys.argv[1])
store = OffsetStore.open(state_dir, now_ms={NOW_MS})
store.letters = DeadLetters.open(state_dir, 1 << 30, "stop")
rows = store.load()
turn = rows[0].offset if rows else 0
while True:
    turn += 1
    lives = [
        Life(file_id=number, generation=0, source="s", path="/a", device=1, inode=1, offset=turn,
             counters={{"read": turn}})
        for number in range(1, {FILES} + 1)
    ]
    letters = [
        DeadLetter(at="", source="s", path="/a", file_id=number, generation=0, start=turn, end=turn + 1,
                   reason="rejected", event={{"content": "x" * 300}})
        for number in (1, 2)
    ]
    store.commit(lives, letters=letters)
    if turn % 7 == 0:
        store.backup()
    print(turn, flush=True)
"""


@pytest.mark.parametrize("turns_before_the_kill", [1, 2, 3, 5, 8, 21])
def test_a_kill_leaves_a_committed_state_and_no_twins(turns_before_the_kill: int, tmp_path: Path) -> None:
    for _ in range(3):
        said = run_and_kill(tmp_path, turns_before_the_kill)

        store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
        offsets = {life.offset for life in store.load()}
        counters = {life.counters["read"] for life in store.load()}
        letters = DeadLetters.open(tmp_path, 1 << 30, "stop").list(1_000_000)
        recovered = store.recovered
        store.close()

        assert recovered is None
        assert len(offsets) == 1
        assert offsets == counters
        (committed,) = offsets
        assert committed >= said
        starts = sorted(letter.start for letter in letters)
        # Those of the turn that was cut off may be there, in part; those of a committed turn are, once each.
        assert starts[: 2 * committed] == [start for start in range(1, committed + 1) for _ in (1, 2)]
        assert len({letter.id for letter in letters}) == len(letters) <= 2 * committed + 2


def run_and_kill(state_dir: Path, turns: int) -> int:
    agent = subprocess.Popen([sys.executable, "-c", AGENT, str(state_dir)], stdout=subprocess.PIPE, text=True)
    with agent:
        assert agent.stdout is not None
        said = [int(agent.stdout.readline()) for _ in range(turns)]
        agent.kill()
        said += [int(line) for line in agent.stdout.read().splitlines()]
    return said[-1]
