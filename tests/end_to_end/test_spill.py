"""The spill with a real process: the endpoint is down, files vanish, the agent is killed; every line arrives."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import AgentProcess, agents, write_config
from tests.end_to_end.receiver import Receiver

LINES = [f"line {number:06d} {'x' * 80}" for number in range(30_000)]


def configure(folder: Path, url: str, **limits: str) -> Path:
    source: dict[str, object] = {"name": "app", "paths": [str(folder / "logs" / "*.log")], "format": "raw"}
    config = write_config(folder, url, [source], concurrency=1)
    document = json.loads(config.read_text(encoding="utf-8"))
    document["limits"] |= {"memory": "4MiB", **limits}
    config.write_text(json.dumps(document), encoding="utf-8")
    return config


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "state" / "spill").glob("*.spill"))


def said(folder: Path, event: str) -> list[str]:
    log = (folder / "agent.log").read_text(encoding="utf-8")
    return [line for line in log.splitlines() if line.startswith(f"event={event} ")]


def held_deleted(agent: AgentProcess, folder: Path) -> list[str]:
    """Return which deleted logs the process holds open."""
    found = []
    for descriptor in Path(f"/proc/{agent.process.pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith(str(folder / "logs")) and target.endswith("(deleted)"):
            found.append(target)
    return found


@asynccontextmanager
async def refusing(folder: Path) -> AsyncIterator[Receiver]:
    """An endpoint that is busy, and a folder for logs."""
    (folder / "logs").mkdir()
    async with Receiver() as receiver:
        receiver.script = faults.always(503)
        yield receiver


async def outage(folder: Path, *, kill: bool) -> Receiver:
    """Let two files be written and deleted while the endpoint is down; return the receiver when all has arrived."""
    async with refusing(folder) as receiver:
        config = configure(folder, receiver.url)
        with agents(config) as start:
            agent = start()
            log = folder / "logs" / "app.log"
            log.write_text("".join(line + "\n" for line in LINES[:20_000]), encoding="utf-8")
            await receiver.wait_for(lambda: bool(receiver.seen))
            log.unlink()
            log.write_text("".join(line + "\n" for line in LINES[20_000:]), encoding="utf-8")
            await receiver.wait_for(lambda: len(said(folder, "file_spilled")) == 1)
            assert held_deleted(agent, folder) == []
            if kill:
                agent.kill()
                agent = start()
                await receiver.wait_for(lambda: len(said(folder, "agent_started")) == 2)
            receiver.script = faults.accept
            await receiver.wait_for(lambda: len(receiver.distinct) >= len(LINES))
            await receiver.wait_for(lambda: not segments(folder))
            assert await agent.drained() == 0
        return receiver


def test_what_is_deleted_while_the_endpoint_is_down_arrives_once_and_holds_no_descriptor(tmp_path: Path) -> None:
    receiver = asyncio.run(outage(tmp_path, kill=False))

    assert receiver.contents() == LINES


def test_what_was_spilled_survives_the_process(tmp_path: Path) -> None:
    receiver = asyncio.run(outage(tmp_path, kill=True))

    assert list(dict.fromkeys(receiver.contents())) == LINES


def test_the_spill_is_compressed_and_for_its_owner_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with refusing(tmp_path) as receiver:
            with AgentProcess(configure(tmp_path, receiver.url)):
                log = tmp_path / "logs" / "app.log"
                log.write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
                size = log.stat().st_size
                await receiver.wait_for(lambda: bool(receiver.seen))
                log.unlink()
                await receiver.wait_for(lambda: len(said(tmp_path, "file_spilled")) == 1)

                assert stat.S_IMODE((tmp_path / "state" / "spill").stat().st_mode) == 0o700
                assert {stat.S_IMODE(path.stat().st_mode) for path in segments(tmp_path)} == {0o600}
                assert sum(path.stat().st_size for path in segments(tmp_path)) < size / 10

    asyncio.run(story())


def test_at_the_cap_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    async def story() -> None:
        log = tmp_path / "logs" / "app.log"
        noise = [f"{number:06d} {os.urandom(60).hex()}" for number in range(6_000)]
        async with refusing(tmp_path) as receiver:
            with AgentProcess(configure(tmp_path, receiver.url, spill="64KiB")) as agent:
                log.write_text("".join(line + "\n" for line in noise), encoding="utf-8")
                await receiver.wait_for(lambda: bool(receiver.seen))
                log.unlink()
                await receiver.wait_for(lambda: len(said(tmp_path, "file_spilled")) == 1)
                receiver.script = faults.accept
                await receiver.wait_for(lambda: noise[-1] in receiver.distinct)
                await receiver.wait_for(lambda: not segments(tmp_path))
                assert await agent.drained() == 0

        lost = [line for line in noise if line not in receiver.distinct]
        words = [dict(word.split("=", 1) for word in line.split()[:5]) for line in said(tmp_path, "bytes_lost")]
        declared = sum(int(word.get("lines", 0)) for word in words)
        unnamed = [word for word in words if "lines" not in word]
        assert lost
        assert declared <= len(lost)
        assert len(unnamed) <= 1  # the segment in the middle of which reading stood
        assert all("spill_full" in line for line in said(tmp_path, "bytes_lost"))
        arrived = receiver.contents()
        assert arrived == [line for line in noise if line in receiver.distinct]

    asyncio.run(story())
