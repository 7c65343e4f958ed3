"""How well the first lines of each file are explained by what its source reads it by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from shipper.config import Config, Source, load_presets, rules
from shipper.core.detect import explains
from shipper.core.diagnosis_state import FileFit
from shipper.core.evidence import Seen
from shipper.core.fitting import lines_of
from shipper.core.rule import RecordFormat
from shipper.pipeline.reading import SAMPLE_BYTES, SourceReading

MOST_FILES: Final = 20  # of each source, the newest: a hundred presets are tried on each
_NOT_JUDGED: Final = (RecordFormat.RAW, RecordFormat.CRI, RecordFormat.DOCKER)


def how_well_read(config: Config, seen: Sequence[Seen], host_name: str) -> tuple[list[FileFit], int]:
    """Return how well each file is read, and how many were not looked into."""
    presets = load_presets(config.preset_dirs)
    fits, unread = list[FileFit](), 0
    for number, source in enumerate(config.sources):
        files = sorted((one for one in seen if one.source == number), key=lambda one: -one.mtime_ns)
        unread += max(0, len(files) - MOST_FILES)
        if not files:
            continue
        reading = SourceReading(rules(config, source, presets, host_name))
        for one in files[:MOST_FILES]:
            with suppress(OSError):
                fit = _fit(reading, source, one)
                fits += [fit] if fit is not None else []
    return fits, unread


def _fit(reading: SourceReading, source: Source, one: Seen) -> FileFit | None:
    with Path(one.path).open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    near_ms = one.mtime_ns // 1_000_000
    if reading.chooses:
        choice = reading.choose(head, "", near_ms)
        name = choice.layout.partition("{")[0].strip("+") or "a layout of its own"
        return FileFit(source.name, one.path, name, choice.explained, choice.lines, chosen=True)
    if reading.rule.format in _NOT_JUDGED:
        return None
    encoding = "utf-8" if source.encoding == "auto" else source.encoding
    sample = head.decode(encoding, "backslashreplace")
    share = explains(reading.rule, sample, near_ms)
    return FileFit(source.name, one.path, source.format, share, len(lines_of(sample)), chosen=False)
