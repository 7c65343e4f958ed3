"""Other log agents on the host, by what runs there."""

from __future__ import annotations

import re

from shipper.cli.doctor_peers import other_agents
from tests.cli.test_doctor import Scene, another_agent_reads, scene

__all__ = ["scene"]


def test_an_agent_on_other_files_is_named_with_its_process(scene: Scene) -> None:
    another_agent_reads(scene)

    found, elsewhere = other_agents([])

    assert found == []
    assert any(re.fullmatch(r"Filebeat \(process \d+\)", name) for name in elsewhere)
