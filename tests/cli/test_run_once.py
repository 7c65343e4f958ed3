"""`shipper run --once`: its exit status says whether everything that matches has arrived."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver

PROJECT = Path(__file__).parents[2]


def run_once(folder: Path) -> tuple[int, str]:
    """Return the exit status, and what was said on standard error."""

    async def story() -> tuple[int, str]:
        receiver = Receiver()
        await receiver.start()
        source: dict[str, object] = {"name": "app", "paths": [f"{folder}/logs/*.log"], "format": "raw"}
        config = write_config(folder, receiver.url, [source])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shipper", "run", "--once", "-c", str(config), cwd=PROJECT,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        await receiver.stop()
        return process.returncode or 0, said.decode()

    return asyncio.run(story())


def test_it_is_0_where_everything_arrived(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("one\n")

    assert run_once(tmp_path)[0] == 0


def test_it_is_1_where_a_file_that_matches_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("one\n")
    loop = tmp_path / "logs" / "b.log"
    loop.symlink_to(loop)  # no one may follow it, not even root

    status, said = run_once(tmp_path)

    assert (status, f"1 file that matches was not read: {loop}" in said) == (1, True)
