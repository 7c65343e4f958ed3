"""What the ledger says of a portion: when it is converted, and once the sender is done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from shipper.core.batch import Portion, Settlement
from shipper.core.model import Encoded
from shipper.core.watermark import Ticket

_FATES = ("filtered_", "dead_")


def figures(encoded: Encoded) -> dict[str, int]:
    """Return the counters that a chunk adds to its file's ledger when it is converted."""
    read = encoded.records + sum(encoded.filtered.values()) + len(encoded.refused)
    counts = {
        "read": read,
        "parts": encoded.parts,
        "trimmed": encoded.trimmed,
        "bad_bytes": encoded.bad_bytes,
        "nul_bytes": encoded.nul_bytes,
        "restamped": encoded.restamped,
        "unparsed": encoded.unparsed,
        "pattern_timeouts": encoded.pattern_timeouts,
    }
    counts |= {f"filtered_{reason}": count for reason, count in encoded.filtered.items()}
    for refused in encoded.refused:
        counts[f"dead_{refused.reason}"] = counts.get(f"dead_{refused.reason}", 0) + 1
    return {name: count for name, count in counts.items() if count}


def account_for(ticket: Ticket, portion: Portion, settlement: Settlement, now_ms: int) -> dict[str, int]:
    """Complete the account of *portion*, which *ticket* carries; return the counters that its settling adds.

    *ticket* holds the counters of the conversion.
    """
    settled = settled_figures(portion, settlement)
    converted = ticket.counts
    account = ticket.accounts[-1]
    account.read_ms, account.acked_ms = portion.now_ms, now_ms
    account.batch = account.batch_last = portion.batch
    account.status = settlement.status if portion.batch else None
    account.layout = account.layout or portion.converter.rule.layout
    account.fingerprint = portion.converter.fingerprint
    account.read = converted.get("read", 0)
    account.acked = settled.get("acked", 0)
    if account.read != account.acked:
        account.rest = _fates(converted, settled)
    counts = dict(converted)
    for name, count in settled.items():
        counts[name] = counts.get(name, 0) + count
    ticket.counts = counts
    return settled


def _fates(*figures: Mapping[str, int]) -> dict[str, int]:
    fates = Counter[str]()
    for counts in figures:
        for name, count in counts.items():
            if name.startswith(_FATES) or name == "refused_unnamed":
                fates[name] += count
    return dict(fates)


def settled_figures(portion: Portion, settlement: Settlement) -> dict[str, int]:
    """Return the counters that a settled portion adds: its records by fate."""
    refused = Counter({refused.span: refused.reason for refused in settlement.refused}.values())
    unnamed = settlement.refused_unnamed
    dropped = sum(settlement.filtered.values())
    acked = portion.encoded.records - refused.total() - unnamed - dropped
    counts = {"acked": acked, "refused_unnamed": unnamed, "trimmed": settlement.trimmed}
    counts |= {f"dead_{reason}": count for reason, count in refused.items()}
    counts |= {f"filtered_{reason}": count for reason, count in settlement.filtered.items()}
    return {name: count for name, count in counts.items() if count}
