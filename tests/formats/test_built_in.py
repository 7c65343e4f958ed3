"""The built-in presets are right: the agent reads them unchecked."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import load_presets
from shipper.config.presets import built_in_files, read_preset
from shipper.config.problems import Problems


@pytest.mark.parametrize("path", built_in_files(), ids=lambda path: path.stem)
def test_a_built_in_preset_passes_every_check_and_is_what_the_agent_loads(path: Path) -> None:
    problems = Problems(path.name)

    preset = read_preset(path, problems)

    assert problems.lines() == []
    assert preset is not None
    assert preset.name == path.stem
    assert load_presets()[preset.name] == preset
