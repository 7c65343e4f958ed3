"""`shipper backfill` as operators run it: a process that is killed, paused, piped into, asked for JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.cli.backfill_options import instant_ms, rate
from shipper.errors import UsageError
from tests.pipeline.backfill.scene import Scene, contents, log, with_scene
from tests.processes import started

ROOT = Path(__file__).parents[2]
NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z


def command(scene: Scene, *arguments: str) -> list[str]:
    """Return a command line that sends to the scene's endpoint."""
    config = scene.folder / "agent.yaml"
    config.write_text(
        json.dumps(
            {
                "state_dir": str(scene.state_dir),
                "endpoint": {
                    "url": scene.receiver.url, "flush_interval": "50ms", "target_request_bytes": "64KiB",
                    "retry": {"initial": "50ms", "max": "100ms"},
                },
                "sources": [
                    {"name": "app", "paths": [str(scene.folder / "logs/app.log")],
                     "pattern": r"(?P<timestamp>\S+) (?P<severity>[A-Z]+) "}
                ],
            }
        )
    )  # fmt: skip
    return [sys.executable, "-m", "shipper", "backfill", "-c", str(config), *arguments]


async def run(scene: Scene, *arguments: str, stdin: bytes | None = None) -> tuple[int | None, str, str]:
    """Run the command to its end; return its status and what it said."""
    async with started(
        *command(scene, *arguments), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        said, complained = await process.communicate(stdin)
    return process.returncode, said.decode(), complained.decode()


def test_killed_again_and_again_it_goes_on_and_what_comes_twice_was_on_its_way(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = [log(6000), log(6000, begin=10_000)]
        paths = [str(scene.write("app.log.2.gz", texts[0])), str(scene.write("app.log.1", texts[1]))]
        kills = 0
        for share in (1500, 4500, 8000):
            async with started(*command(scene, "--quiet", "--max-rate", "12000/s", *paths), cwd=ROOT) as process:
                await scene.receiver.wait_for(lambda share=share: len(scene.receiver.distinct) > share)  # type: ignore[misc]  # mypy does not see the default
                process.send_signal(signal.SIGKILL)
                kills += await process.wait() == -signal.SIGKILL
            # Its workers end when they miss it; what they had sent by then is read first.
            await scene.receiver.wait_for(lambda: not scene.receiver.open_connections)
        seen = len(scene.arrived())

        status, said, complained = await run(scene, "--json", *paths)

        assert kills == 3
        assert status == 0, complained
        totals = json.loads(said)
        assert totals["balanced"]
        assert 0 < totals["acked"] < 12_000
        assert totals["acked"] == len(scene.arrived()) - seen
        assert not scene.missing(*texts)
        assert scene.surplus(*texts).total() < 3 * 4000
        status, said, _ = await run(scene, "--json", *paths)
        assert (status, json.loads(said)["read"]) == (0, 0)

    asyncio.run(with_scene(tmp_path, act))


def test_control_z_stops_the_process_when_nothing_is_under_way_and_fg_goes_on(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(9000)
        path = scene.write("app.log.1", text)
        async with started(
            *command(scene, "--quiet", "--max-rate", "6000/s", str(path)), cwd=ROOT, start_new_session=True
        ) as process:
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 2000)
            os.killpg(process.pid, signal.SIGTSTP)
            status = Path(f"/proc/{process.pid}/stat")
            await scene.receiver.wait_for(lambda: status.read_text().rpartition(") ")[2][0] == "T")
            reached = len(scene.receiver.seen)

            os.killpg(process.pid, signal.SIGCONT)

            assert await process.wait() == 0
        assert len(scene.receiver.seen) > reached
        assert not scene.missing(text)
        assert not scene.surplus(text)

    asyncio.run(with_scene(tmp_path, act))


def test_control_c_says_how_to_go_on_and_ends_with_1(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(9000)
        path = scene.write("app.log.1", text)
        async with started(
            *command(scene, "--max-rate", "6000/s", str(path)), cwd=ROOT, stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 1000)
            os.killpg(process.pid, signal.SIGINT)
            said, complained = await process.communicate()

        assert process.returncode == 1
        assert b"run the same command again to go on" in complained
        assert b"acknowledged" in said
        assert (await run(scene, "--quiet", str(path)))[0] == 0
        assert not scene.missing(text)
        assert not scene.surplus(text)

    asyncio.run(with_scene(tmp_path, act))


def test_a_second_run_says_that_nothing_is_left_and_where_that_a_backfill_has_read_a_line(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        path = scene.write("old.log.gz", log(20))

        _, _, first = await run(scene, str(path))
        status, _, second = await run(scene, str(path))
        async with started(
            sys.executable, "-m", "shipper", "where", "--state-dir", str(scene.state_dir), f"{path}:3", cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as asked:  # fmt: skip
            said, _ = await asked.communicate()

        assert "nothing to send" not in first
        assert status == 0
        assert "nothing to send: nothing is left of the 1 file found; --again sends it anew" in second
        assert "a backfill has read it: it was sent" in said.decode()

    asyncio.run(with_scene(tmp_path, act))


def test_standard_input_is_sent(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(3000)

        status, said, complained = await run(scene, "--json", "--source", "app", "-", stdin=text)

        assert status == 0, complained
        assert json.loads(said)["acked"] == 3000
        assert scene.arrived() == contents(text)

    asyncio.run(with_scene(tmp_path, act))


def test_standard_input_whose_reader_was_killed_is_not_called_sent(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        async with started(
            *command(scene, "--quiet", "--source", "app", "-"), cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            process.stdin.write(log(3000))
            await process.stdin.drain()
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 500)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
            _, complained = await process.communicate(log(3000, begin=3000))

        assert process.returncode == 1
        assert b"the process that read standard input is gone" in complained

    asyncio.run(with_scene(tmp_path, act))


def is_gone(pid: str) -> bool:
    """Return whether a process has ended, whoever may have to take note of it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_workers_of_a_command_that_was_killed_end_even_where_standard_input_stays_open(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        reading, writing = os.pipe()
        with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:  # noqa: PTH123 -- of descriptors
            async with started(*command(scene, "--quiet", "--source", "app", "-"), cwd=ROOT, stdin=source) as process:
                source.close()
                sink.write(log(400))
                await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 300)
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

                process.kill()
                await process.wait()

                assert children
                await scene.receiver.wait_for(lambda: all(map(is_gone, children)))

    asyncio.run(with_scene(tmp_path, act))


def test_the_plan_is_a_table_or_json_and_sends_nothing(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.write("app.log.2.gz", log(500))
        scene.write("app.log.1", log(500, begin=500))
        scene.write("app.log", log(100, begin=1000))

        _, table, complained = await run(scene, "--plan", str(scene.folder / "logs"))
        status, said, _ = await run(scene, "--plan", "--json", "--max-rate", "100/s", str(scene.folder / "logs"))

        assert status == 0, complained
        assert [line.split()[0].rpartition("/")[2] for line in table.splitlines()[1:4]] == [
            "app.log.2.gz", "app.log.1", "app.log",
        ]  # fmt: skip
        assert "log.original_timestamp" in table
        plan = json.loads(said)
        assert [file["source"] for file in plan["files"]] == ["app"] * 3
        assert plan["files"][0]["first"] == "2026-11-01T00:00:00.000Z"
        assert plan["files"][1]["last"] == "2026-11-01T00:01:39.900Z"
        assert 1000 < plan["events"] < 1200
        assert plan["too_old"] == {"events": plan["events"], "policy": "restamp", "fate": plan["too_old"]["fate"]}
        assert plan["seconds"] == pytest.approx(plan["events"] / 100)
        assert plan["rate_from"] == "--max-rate"
        assert not scene.receiver.seen

    asyncio.run(with_scene(tmp_path, act))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(["/no/such/file.log"], 2, "no such file", id="missing"),
        pytest.param(["--source", "nobody", "{log}"], 2, "has no source 'nobody'", id="source"),
        pytest.param(["--format", "nginks", "{log}"], 2, "unknown format 'nginks'", id="format"),
        pytest.param(["--since", "yesterday", "{log}"], 2, "is no instant", id="since"),
        pytest.param(["--since", "-1h", "--until", "-2h", "{log}"], 2, "--since is not before --until", id="window"),
        pytest.param(["--max-rate", "fast", "{log}"], 2, "--max-rate", id="rate"),
        pytest.param(["--give-up-after", "5", "{log}"], 2, "is no duration", id="give_up"),
        pytest.param(["--engine", "spark://x", "{log}"], 2, "dask://HOST:PORT", id="engine"),
    ],
)
def test_what_cannot_be_asked_is_said_with_status_2(
    tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    async def act(scene: Scene) -> None:
        path = scene.write("app.log.1", log(3))

        got, _, complained = await run(scene, *(argument.format(log=path) for argument in arguments))

        assert (got, words in complained) == (status, True), complained

    asyncio.run(with_scene(tmp_path, act))


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("now", "UTC", NOW_MS),
        ("-36h", "UTC", NOW_MS - 36 * 3_600_000),
        ("-1h30m", "UTC", NOW_MS - 5_400_000),
        ("2026-11-01", "UTC", 1_793_491_200_000),
        ("2026-11-01", "Europe/Vienna", 1_793_487_600_000),
        ("2026-11-01T10:30:00Z", "Europe/Vienna", 1_793_529_000_000),
        ("2026-11-01T10:30+01:00", "UTC", 1_793_525_400_000),
        ("1793529000", "UTC", 1_793_529_000_000),
        ("1793529000250", "UTC", 1_793_529_000_250),
    ],
)
def test_instants(text: str, zone: str, expected: int) -> None:
    assert instant_ms("--since", text, NOW_MS, zone) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50000/s", (50_000, 0)), ("50_000", (50_000, 0)), ("20MiB/s", (0, 20 << 20)), ("64KiB", (0, 65_536))],
)  # fmt: skip
def test_rates(text: str, expected: tuple[float, float]) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["0/s", "fast", "5 apples/s", "-5/s"])
def test_wrong_rates_are_refused(text: str) -> None:

    with pytest.raises(UsageError, match="--max-rate"):
        rate(text)
