"""What became of every record, summed over files: the figures of `run --once` and the progress line.

The balance that is promised: records read = acked + filtered + dead-lettered
+ refused without a name + pending. Counts are of records; the parts of a
split record are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec


class Totals(msgspec.Struct, kw_only=True):
    """Records by fate, since the agent started.

    Attributes:
        lost_bytes: That could not be read before they were gone.
        dropped_bytes: Of these, what was given up by a rule, by its reason: ``spill_full``.
    """

    files: int = 0
    bytes_read: int = 0
    read: int = 0
    acked: int = 0
    filtered: dict[str, int] = {}
    dead_lettered: dict[str, int] = {}
    refused_unnamed: int = 0
    pending: int = 0
    parts: int = 0
    restamped: int = 0
    unparsed: int = 0
    trimmed: int = 0
    bad_bytes: int = 0
    nul_bytes: int = 0
    pattern_timeouts: int = 0
    lost_bytes: int = 0
    dropped_bytes: dict[str, int] = {}

    @property
    def balanced(self) -> bool:
        """Whether every record that was read is accounted for."""
        accounted = self.acked + sum(self.filtered.values()) + sum(self.dead_lettered.values())
        return self.read == accounted + self.refused_unnamed + self.pending

    @property
    def delivered(self) -> bool:
        """Whether nothing is missing at the other end but what was left out on purpose."""
        return not (self.pending or self.dead_lettered or self.refused_unnamed or self.lost_bytes)


def total(counts: Mapping[str, int], files: int) -> Totals:
    """Return the totals of *counts*, the sum of the files' ledgers since the agent started."""
    plain = {
        name: counts.get(name, 0)
        for name in (
            "bytes_read", "read", "acked", "refused_unnamed", "pending", "parts", "restamped", "unparsed", "trimmed",
            "bad_bytes", "nul_bytes", "pattern_timeouts", "lost_bytes",
        )
    }  # fmt: skip
    return Totals(
        files=files,
        filtered=_group(counts, "filtered_"),
        dead_lettered=_group(counts, "dead_"),
        dropped_bytes=_group(counts, "dropped_bytes_"),
        **plain,
    )


def _group(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): count for name, count in sorted(counts.items()) if name.startswith(prefix) and count
    }


def table(totals: Totals) -> list[tuple[str, str]]:
    """Return the rows that `run --once` prints: label and figure."""
    rows = [
        ("files", f"{totals.files:,}"),
        ("bytes read", f"{totals.bytes_read:,}"),
        ("records read", f"{totals.read:,}"),
        ("= acknowledged", f"{totals.acked:,}"),
    ]
    rows += [(f"+ filtered ({reason})", f"{count:,}") for reason, count in totals.filtered.items()]
    rows += [(f"+ dead letters ({reason})", f"{count:,}") for reason, count in totals.dead_lettered.items()]
    if totals.refused_unnamed:
        rows.append(("+ refused, not named by the endpoint", f"{totals.refused_unnamed:,}"))
    rows.append(("+ pending", f"{totals.pending:,}"))
    asides = [
        ("parts of long records beyond the first", totals.parts),
        ("stamped anew (older than the endpoint takes)", totals.restamped),
        ("shipped without a matching rule", totals.unparsed),
        ("events with trimmed attributes", totals.trimmed),
        ("bytes that were no text, kept as escapes", totals.bad_bytes),
        ("NUL bytes of holes, left out", totals.nul_bytes),
        ("records whose pattern ran out of time", totals.pattern_timeouts),
        ("bytes lost before they could be read", totals.lost_bytes),
    ]
    asides += [(f"bytes given up ({reason})", count) for reason, count in totals.dropped_bytes.items()]
    return rows + [(label, f"{count:,}") for label, count in asides if count]


def said(totals: Totals) -> dict[str, int]:
    """Return what the agent's last words name; what is always there is named at nought, too."""
    figures = {
        "read": totals.read,
        "acked": totals.acked,
        "filtered": sum(totals.filtered.values()),
        "dead_lettered": sum(totals.dead_lettered.values()),
        "refused_unnamed": totals.refused_unnamed,
        "pending": totals.pending,
    }
    return {name: count for name, count in figures.items() if count or name in ("read", "acked", "pending")}


def add(into: Counter[str], counts: Mapping[str, int]) -> None:
    """Add *counts* to *into*."""
    for name, count in counts.items():
        into[name] += count
