"""What a new configuration changes of the one in use: which sources, which settings, and what needs a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shipper.config import Config, Source
from shipper.pipeline.reading import SourceReading

_BY_SOURCE = frozenset(("path", "attributes", "sources", "zone", "preset_dirs"))
"""Of a `Config`: what shows in a source's rules, or nowhere."""

_NEEDS_RESTART = frozenset(("state_dir", "monitoring", "endpoint.embedded", "limits.spill", "limits.ledger"))


class Changes(msgspec.Struct, frozen=True):
    """What differs.

    Attributes:
        added, removed, changed, unchanged: Names of sources, in file order.
        settings: Keys of agent.yaml outside the sources.
    """

    added: list[str] = []
    removed: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    settings: list[str] = []

    @property
    def any(self) -> bool:
        """Whether there is something to do."""
        return bool(self.added or self.removed or self.changed or self.settings)


class Plan(NamedTuple):
    """The new configuration, built and not used yet.

    Attributes:
        readings: Beside the sources of *config*; those of sources whose rules are the same are the ones in use.
        restart: Keys whose change needs a restart: then nothing is applied.
    """

    config: Config
    readings: list[SourceReading]
    changes: Changes
    restart: list[str]


def plan(old: Config, readings: Sequence[SourceReading], new: Config, built: Sequence[SourceReading]) -> Plan:
    """Return what to do about *new*.

    Args:
        old: The configuration in use.
        readings: What its sources are read by.
        new: The one to use.
        built: What its sources would be read by.
    """
    before = {source.name: (source, reading) for source, reading in zip(old.sources, readings, strict=True)}
    kept: list[SourceReading] = []
    changed: list[str] = []
    for source, reading in zip(new.sources, built, strict=True):
        was, in_use = before.get(source.name, (None, None))
        same = in_use is not None and (in_use.rule, in_use.rate_limit) == (reading.rule, reading.rate_limit)
        kept.append(in_use if same and in_use is not None else reading)
        if was is not None and not (same and _as_the_agent_sees(was) == _as_the_agent_sees(source)):
            changed.append(source.name)
    names = {source.name for source in new.sources}
    settings = changed_settings(old, new)
    changes = Changes(
        added=[source.name for source in new.sources if source.name not in before],
        removed=[name for name in before if name not in names],
        changed=changed,
        unchanged=[source.name for source in new.sources if source.name in before and source.name not in changed],
        settings=settings,
    )
    return Plan(new, kept, changes, [key for key in settings if _needs_restart(key, old)])


def changed_settings(old: Config, new: Config) -> list[str]:
    """Return the keys of agent.yaml that differ, those of sources and their attributes left out."""
    keys: list[str] = []
    for field in msgspec.structs.fields(Config):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after or field.name in _BY_SOURCE:
            continue
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            keys += [
                f"{field.encode_name}.{part.encode_name}"
                for part in msgspec.structs.fields(type(before))
                if getattr(before, part.name) != getattr(after, part.name)
            ]
        else:
            keys.append(field.encode_name)
    return keys


def _as_the_agent_sees(source: Source) -> Source:
    return msgspec.structs.replace(source, tests=())


def _needs_restart(key: str, old: Config) -> bool:
    if old.endpoint.embedded and key in ("endpoint.url", "endpoint.profile"):
        return True  # the child was started with these
    return key in _NEEDS_RESTART or key.partition(".")[0] in _NEEDS_RESTART
