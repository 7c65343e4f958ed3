"""`shipper reload` as it is run: what it prints and how it exits, beside a real agent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.patience import PATIENCE_SECONDS

NOWHERE = "http://127.0.0.1:9/v2/logs/ingest"


class Running:
    """An agent that follows one source, and the command beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = write_config(folder, NOWHERE, [self.source("app")])
        self.document = json.loads(self.config.read_text(encoding="utf-8"))
        self.agent = AgentProcess(self.config)

    def source(self, name: str, **keys: object) -> dict[str, object]:
        return {"name": name, "paths": [str(self.folder / f"{name}.log")], "format": "raw", **keys}

    def write(self, *sources: dict[str, object], **sections: object) -> None:
        """Write agent.yaml anew; *sections* replace those that it began with."""
        self.config.write_text(json.dumps({**self.document, **sections, "sources": list(sources)}), encoding="utf-8")

    def reload(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shipper", "reload", "-c", str(self.config), *arguments],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def said(self, words: str) -> bool:
        return words in self.agent.log.read_text(encoding="utf-8")

    def wait_until_said(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.said(words):
            assert time.monotonic() < deadline, self.agent.log.read_text(encoding="utf-8")
            time.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    with made.agent:
        made.wait_until_said("event=agent_started")
        yield made


def test_it_prints_what_changed_and_then_that_nothing_has(running: Running) -> None:
    running.write(running.source("app", drop=["GET /healthz"]), running.source("web"), limits={"scan": "80ms"})

    first = running.reload()
    second = running.reload()
    third = running.reload("--json")

    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    assert first.stdout.splitlines()[0] == f"generation 2 of {running.config} is in use"
    assert [line.split() for line in first.stdout.splitlines()[1:]] == [
        ["added", "web"], ["changed", "app"], ["settings", "limits.scan"],
    ]  # fmt: skip
    assert second.stdout == f"nothing has changed: generation 2 of {running.config} stays in use\n"
    assert json.loads(third.stdout)["changes"]["unchanged"] == ["app", "web"]


@pytest.mark.parametrize(
    ("break_it", "exit_code", "expected"),
    [
        pytest.param(
            lambda to: to.write(to.source("app", drop=["("])), 78, "sources[0].drop[0]: ", id="wrong"
        ),
        pytest.param(
            lambda to: to.write(to.source("app"), monitoring={"port": 1}), 1,
            "restart needed for monitoring.port: nothing was applied", id="needs_a_restart",
        ),
        pytest.param(
            lambda to: to.write(to.source("app"), state_dir=str(to.folder / "elsewhere")), 1,
            "a changed state_dir needs a restart", id="another_state_dir",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_the_old_one_goes_on(
    running: Running, break_it: Callable[[Running], None], exit_code: int, expected: str
) -> None:
    break_it(running)

    refused = running.reload()
    running.write(running.source("app"))
    again = running.reload()

    assert (refused.returncode, refused.stdout) == (exit_code, "")
    assert expected in refused.stderr
    assert again.stdout == f"nothing has changed: generation 1 of {running.config} stays in use\n"


def test_a_wrong_configuration_is_refused_by_the_agent_too(running: Running) -> None:
    """By its state_dir alone the command reads no configuration itself: the problems are the agent's."""
    running.write(running.source("app", drop=["("]))

    refused = subprocess.run(
        [sys.executable, "-m", "shipper", "reload", "--state-dir", str(running.folder / "state")],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert (refused.returncode, refused.stdout) == (78, "")
    assert refused.stderr.startswith(f"{running.config}:")
    assert "sources[0].drop[0]: " in refused.stderr


def test_the_hangup_signal_reloads_too(running: Running) -> None:
    running.write(running.source("app"), running.source("web"))

    running.agent.process.send_signal(signal.SIGHUP)
    running.wait_until_said("event=reloaded generation=2 added=1")


def test_without_an_agent_it_says_so(tmp_path: Path) -> None:
    config = write_config(tmp_path, NOWHERE, [{"name": "app", "paths": [str(tmp_path / "app.log")]}])

    done = subprocess.run(
        [sys.executable, "-m", "shipper", "reload", "-c", str(config)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("no agent to reload: ")
