"""While the endpoint misbehaves, nothing is lost and memory stays within the budget.

SHIPPER_OUTAGE_SECONDS sets how long each fault lasts (60 for the full proof; CI is shorter).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.end_to_end.receiver import Receiver, Script

OUTAGE_SECONDS = float(os.environ.get("SHIPPER_OUTAGE_SECONDS", "2.5"))
PEAK_MB = 160


def peak_rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def append_for(log: Path, seconds: float, written: int) -> int:
    """Append some 20,000 lines a second; return how many there are now."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with log.open("a", encoding="utf-8") as file:
        while loop.time() < end:
            file.writelines(f"line-{written + n:08d} {'y' * 90}\n" for n in range(200))
            file.flush()
            written += 200
            await asyncio.sleep(0.01)
    return written


async def outage(folder: Path, fault: Script | None) -> tuple[int, Receiver, float]:
    async with Receiver() as receiver:
        log = folder / "app.log"
        log.touch()
        config = write_config(
            folder, receiver.url, [{"name": "app", "paths": [str(log)], "format": "raw"}],
            timeout="1s", connect_timeout="1s", target_request_bytes="256KiB",
        )  # fmt: skip
        with AgentProcess(config) as agent:
            written = await append_for(log, 0.5, 0)
            await receiver.wait_for(lambda: bool(receiver.acked))
            if fault is None:
                await receiver.stop()
            else:
                receiver.script = fault
            written = await append_for(log, OUTAGE_SECONDS, written)
            receiver.script = faults.accept
            if fault is None:
                await receiver.start()
            written = await append_for(log, 0.2, written)
            await receiver.wait_for(lambda: len(receiver.distinct) >= written)
            peak = peak_rss_mb(agent.process.pid)
            assert await agent.drained() == 0
        return written, receiver, peak


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="stopped"),
        pytest.param(faults.always(500), id="answers_500"),
        pytest.param(faults.always(429), id="answers_429"),
        pytest.param(faults.always(413), id="answers_413_to_everything"),
        pytest.param(faults.always(400), id="answers_400_to_everything"),
        pytest.param(faults.always(403), id="answers_403"),
        pytest.param(faults.hang, id="hangs"),
        pytest.param(faults.close_half_way, id="closes_half_way"),
    ],
)
def test_nothing_is_lost_while_the_endpoint(tmp_path: Path, fault: Script | None) -> None:
    written, receiver, peak = asyncio.run(outage(tmp_path, fault))

    arrived = Counter(text[:13] for text in receiver.contents())
    assert set(arrived) == {f"line-{number:08d}" for number in range(written)}
    assert peak < PEAK_MB


async def one_bad_event(folder: Path) -> tuple[Receiver, int]:
    log = folder / "app.log"
    lines = [f"line-{number:06d}" for number in range(4000)]
    lines[1234] = "line-001234 poison"
    log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    async with Receiver() as receiver:
        receiver.script = faults.refuse_content("poison")
        config = write_config(folder, receiver.url, [{"name": "a", "paths": [str(log)], "format": "raw"}])
        with AgentProcess(config) as agent:
            await receiver.wait_for(lambda: len(receiver.acked) >= 3999)
            return receiver, await agent.drained()


def test_one_bad_event_becomes_one_dead_letter_and_the_rest_arrives_once(tmp_path: Path) -> None:
    receiver, status = asyncio.run(one_bad_event(tmp_path))

    assert status == 0
    assert Counter(receiver.contents()) == Counter(f"line-{n:06d}" for n in range(4000) if n != 1234)
    letters = [p.read_text(encoding="utf-8") for p in (tmp_path / "state" / "dead_letters").glob("*.ndjson")]
    assert "".join(letters).count("poison") == 1
