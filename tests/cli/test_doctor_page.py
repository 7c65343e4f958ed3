"""docs/doctor.md says what the commands say: wrong configurations and broken hosts, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shipper.cli import problem_lines
from shipper.config import load
from shipper.errors import ConfigError
from tests.cli.test_doctor import BROKEN, Broken

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"### (.+)\n\n```yaml\n((?:.*\n)+?)```\n\n```text\n((?:.*\n)+?)```\n")
WRONG = EXAMPLE.findall(PAGE[PAGE.index("## Wrong configurations") :])
AS_ON_THE_PAGE = {
    "{log}": "/srv/shop/logs/shop.log", "{logs}": "/srv/shop/logs", "{state}": "/srv/shop/state",
    "{folder}": "/srv/shop", "{user}": "shipper", "{program}": "nginx (process 812)",
}  # fmt: skip


def test_there_are_ten_wrong_configurations_and_ten_broken_hosts() -> None:
    hosts = PAGE[PAGE.index("## Broken hosts") : PAGE.index("## Wrong configurations")]

    assert len(WRONG) >= 10
    assert hosts.count("### ") == len(BROKEN) >= 10


@pytest.mark.parametrize(("name", "text", "said"), WRONG, ids=[name for name, _, _ in WRONG])
def test_a_wrong_configuration_gets_the_message_of_the_page(
    name: str, text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del name
    monkeypatch.chdir(tmp_path)
    Path("agent.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as refused:
        load(Path("agent.yaml"), {})

    assert problem_lines(refused.value, 80) == said.splitlines()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.how.__name__)
def test_a_broken_host_gets_the_message_of_the_page(broken: Broken) -> None:
    text, mend = broken.text, broken.mend
    for name, value in AS_ON_THE_PAGE.items():
        text, mend = text.replace(name, value), mend.replace(name, value)

    blocks = [block for block in PAGE.split("```text\n") if block.startswith(f"{broken.level}  {broken.check}: ")]
    assert any(text in block and f"mend it with: {mend}" in block for block in blocks) or not broken.mend
    assert any(text in block for block in blocks)
