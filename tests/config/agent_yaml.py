"""An agent.yaml of a test: written, loaded, or what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from shipper.config import Config, load
from shipper.errors import ConfigError


def write(folder: Path, text: str, name: str = "agent.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    return load(write(folder, text), environ or {})


def said(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(folder, text, environ)
    return [problem.replace(f"{folder}/", "") for problem in refused.value.problems]
