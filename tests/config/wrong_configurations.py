"""The table of wrong configurations, read: see wrong_configurations.yaml."""

from __future__ import annotations

from pathlib import Path

import msgspec

ALL = msgspec.yaml.decode(Path(__file__).with_suffix(".yaml").read_bytes())


class Wrong(msgspec.Struct, forbid_unknown_fields=True):
    """A file and what is said of it."""

    name: str
    file: str
    says: list[str]
    schema: str = "takes"


WRONG = {row.name: row for row in msgspec.convert(ALL, list[Wrong])}
