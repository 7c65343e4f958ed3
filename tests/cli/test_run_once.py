"""`shipper run --once`: its exit status says whether everything that matches has arrived."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver, Script, accept, refuse_content
from tests.processes import started

PROJECT = Path(__file__).parents[2]


def run_once(folder: Path, script: Script = accept, letters: dict[str, object] | None = None) -> tuple[int, str]:
    """Return the exit status, and what was said on standard error."""

    async def story() -> tuple[int, str]:
        source: dict[str, object] = {"name": "app", "paths": [f"{folder}/logs/*.log"], "format": "raw"}
        async with Receiver() as receiver:
            receiver.script = script
            config = write_config(folder, receiver.url, [source])
            document = json.loads(config.read_text(encoding="utf-8"))
            config.write_text(json.dumps(document | {"dead_letters": letters or {}}), encoding="utf-8")
            async with started(
                sys.executable, "-m", "shipper", "run", "--once", "-c", str(config), cwd=PROJECT,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            ) as process:  # fmt: skip
                _, said = await process.communicate()
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


def test_it_ends_with_74_where_no_dead_letter_can_be_kept_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """It waited without end: only the operator can make room, and the run held the lock that this takes."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_text("".join(f"line {number}\n" for number in range(50)) + "poison\n")

    full, said = run_once(tmp_path, refuse_content("poison"), {"max_bytes": 64})
    roomy, _ = run_once(tmp_path, refuse_content("poison"))

    assert full == 74
    assert "no dead letter can be kept any more; nothing is lost" in said
    assert "replay or drop them, or raise the limit" in said
    assert roomy == 1  # as ever where something is among the dead letters
    letters = [path.read_text(encoding="utf-8") for path in (tmp_path / "state" / "dead_letters").glob("*.ndjson")]
    assert [json.loads(text)["event"]["content"] for text in "".join(letters).splitlines()] == ["poison"]
