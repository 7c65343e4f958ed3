"""What else a file could have been read by: the share of its lines that each candidate explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shipper.cli.explain_records import Record
from shipper.core.detect import explains
from shipper.core.rule import Rule

_LOOKED_AT: Final = 16 * 1024
_MOST: Final = 8


def candidates_tried(candidates: Sequence[Rule], record: Record) -> str:
    """Return in words how much of the beginning of the record's chunk each candidate explains, the best first."""
    done = record.of
    sample = done.chunk.data[:_LOOKED_AT].decode(done.carry.encoding or "utf-8", "replace")
    if done.chunk.data[_LOOKED_AT:]:
        sample = sample.rpartition("\n")[0] or sample
    shares = [(explains(rule, sample, done.facts.mtime_ms), rule.layout) for rule in candidates]
    some = sorted(((share, name) for share, name in shares if share > 0), key=lambda one: (-one[0], one[1]))
    parts = [f"{name} {100 * share:.1f} %" for share, name in some[:_MOST]]
    if some[_MOST:]:
        parts.append(f"{len(some) - _MOST} more explain less")
    parts.append(f"{len(shares) - len(some)} explain nothing")
    return ", ".join(parts)
