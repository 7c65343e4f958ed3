"""A pattern that runs away on a hostile line costs that record its fields, and nobody anything else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.end_to_end.agent_process import run_once, write_config
from tests.end_to_end.receiver import Event, Receiver

HOSTILE = "a" * 60 + "!"


def test_a_runaway_pattern_ships_its_record_unparsed_and_tagged_while_other_sources_go_on(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.log", tmp_path / "good.log"
    bad.write_text(f"aaa\n{HOSTILE}\naa\n", encoding="utf-8")
    good.write_text("".join(f"line {number}\n" for number in range(1000)), encoding="utf-8")

    async def scene() -> tuple[int, dict[str, object], list[Event]]:
        sources: list[dict[str, object]] = [
            {"name": "bad", "paths": [str(bad)], "pattern": "^(?P<letters>(a+)+)$"},
            {"name": "good", "paths": [str(good)], "format": "raw"},
        ]
        async with Receiver() as receiver:
            status, totals = await asyncio.to_thread(run_once, write_config(tmp_path, receiver.url, sources))
        return status, totals, receiver.acked

    status, totals, events = asyncio.run(scene())

    assert (status, totals["pattern_timeouts"], totals["balanced"]) == (0, 1, True)
    assert len([event for event in events if event["log.source"] == "good"]) == 1000
    read = {str(event["content"]): event for event in events if event["log.source"] == "bad"}
    assert {text: event.get("letters") for text, event in read.items()} == {"aaa": "aaa", HOSTILE: None, "aa": "aa"}
    assert read[HOSTILE]["log.unparsed"] == "timeout"
