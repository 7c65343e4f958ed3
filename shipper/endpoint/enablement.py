"""Whether the endpoint serves at all: settings of the environment, the host group and the host.

As the schema `builtin:eec.local` has it (reference page, section 7): two
switches, each of which the nearer level overrides. Switched off, nothing listens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import yaml

from shipper.endpoint import settings
from shipper.errors import ConfigError

LEVELS: Final = ("environment", "hostgroup", "host")  # nearest last
SWITCHES: Final = ("enabled", "ingest_active")
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


class Enablement(msgspec.Struct, frozen=True):
    """What the levels together say.

    Attributes:
        active: Whether to listen.
        switch: The setting that says no; "" when active.
        decided_by: The file that set it; None when active.
    """

    active: bool
    switch: str = ""
    decided_by: Path | None = None


def read(settings_dir: Path) -> Enablement:
    """Return what environment.yaml, hostgroup.yaml and host.yaml in *settings_dir* say; a missing one says nothing.

    Raises:
        ConfigError: a file is wrong; every problem of every file is named.
    """
    decided: dict[str, tuple[bool, Path]] = {}
    problems: list[str] = []
    for level in LEVELS:
        path = settings_dir / f"{level}.yaml"
        try:
            for switch, value in settings.read(path, SWITCHES).items():
                decided[switch] = (_on_or_off(path, switch, value), path)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    for switch in SWITCHES:
        on, path = decided.get(switch, (True, settings_dir))
        if not on:
            return Enablement(active=False, switch=switch, decided_by=path)
    return Enablement(active=True)


def _on_or_off(path: Path, switch: str, value: yaml.ScalarNode) -> bool:
    word = value.value.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ConfigError([f"{settings.place(path, switch, value)}: {value.value!r} is neither true nor false"])
