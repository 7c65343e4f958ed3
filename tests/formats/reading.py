"""Reading text by a preset, as the agent does: through `rules`, the converter and the reference reader."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from shipper.config import Preset, Source, load_presets, rules
from shipper.config.model import Config
from shipper.core.converter import Converter, encode_reading
from shipper.core.model import Carry, Chunk, Event, FileFacts, FileKey, Produced
from shipper.core.rule import Rule

NOW_MS = 1_798_761_600_000  # 2027-01-01T00:00:00Z
MODIFIED = "2024-12-31T23:59:59Z"
_FOREVER_MS = 60 * 365 * 86_400_000  # no stamp is too old here: its own time is what a preset must get right


class Result(NamedTuple):
    """What both readers made of a text: the converter's events, and the reference reader's with their spans."""

    events: list[Event]
    produced: list[Produced]
    unparsed: int


def rule_of(preset: Preset, zone: str = "UTC") -> Rule:
    """Return the rule of a source whose format is *preset*, on a host in *zone*."""
    source = Source(name="shop", paths=("/var/log/shop.log",), format=preset.name)
    config = Config(path=Path("agent.yaml"), state_dir=Path("state"), sources=(source,), zone=zone)
    return msgspec.structs.replace(
        rules(config, source, {preset.name: preset}, "web1"), max_age_ms=_FOREVER_MS, max_ahead_ms=_FOREVER_MS
    )


def read(rule: Rule, data: bytes, modified: str = MODIFIED, encoding: str = "utf-8") -> Result:
    """Return what both readers make of *data*, which must be the same."""
    mtime_ms = int(datetime.fromisoformat(modified).timestamp() * 1000)
    chunk = Chunk(0, len(data), data)
    facts = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", mtime_ms)
    converter = Converter(rule)
    fast = converter.convert(chunk, facts, Carry(encoding=encoding), NOW_MS)
    slow = converter.reference.read(chunk, facts, Carry(encoding=encoding), NOW_MS)
    again = encode_reading(slow)
    events, expected = (json.loads(b"[" + bytes(encoded.json) + b"]") for encoded in (fast, again))
    assert events == expected
    assert (fast.records, fast.unparsed, fast.filtered) == (again.records, again.unparsed, again.filtered)
    return Result(events, slow.produced, fast.unparsed)


def presets() -> dict[str, Preset]:
    """Return the built-in presets."""
    return load_presets()
