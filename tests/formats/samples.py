"""The samples that stand in the presets' files: a record's text, and what it must become."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
import yaml

import shipper.formats
from tests.formats.reading import MODIFIED

FOLDER = Path(shipper.formats.__path__[0])


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record.

    Attributes:
        text: Of the record, without the line end.
        timestamp: In UTC; None where the record has no time of its own.
        severity: One of the ten.
        attributes: All that are sent beside those of every event.
        timezone: Of the host, for stamps that name none.
        modified: Of the file, for stamps without a year.
    """

    text: str
    timestamp: str | None
    severity: str
    attributes: dict[str, str | int | float | bool | list[str | int]] = {}
    timezone: str = "UTC"
    modified: str = MODIFIED


class _File(msgspec.Struct):
    samples: tuple[Sample, ...]


@cache
def samples_of(name: str) -> tuple[Sample, ...]:
    """Return the samples of the preset *name*."""
    # The loader of presets keeps no values as text only: YAML's own types are what a sample means.
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return msgspec.convert(written, _File).samples


def names() -> list[str]:
    """Return the names of the presets that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
