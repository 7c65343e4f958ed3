"""What the server itself says of an event: which instant counts, and attributes that are its own.

Source: the reference page, sections 4.1 and 4.3 ("Added by the server").
"""

from __future__ import annotations

from typing import Final

from shipper.endpoint.model import AttributeValue
from shipper.endpoint.protocol.limits import Limits
from shipper.endpoint.protocol.stamps import instant_of
from shipper.endpoint.protocol.values import Json

WARNINGS: Final = "dt.ingest.warnings"


def common_attributes(ingest_format: str) -> dict[str, AttributeValue]:
    """Return what the server sets on every record, whatever the client says of it."""
    return {
        "event.type": "LOG",
        "dt.openpipeline.source": "/api/v2/logs/ingest",
        "dt.openpipeline.source_type": "extension",
        "dt.ingest.format": ingest_format,
    }


def settle(stamp: Json, received_ms: int, limits: Limits) -> tuple[int, str]:
    """Return the instant that counts for *stamp*, and in a word why it is not the stamp's own (section 4.1)."""
    if stamp is None:
        return received_ms, ""
    instant = instant_of(stamp, received_ms)
    if instant is None:
        return received_ms, "unparsed"
    if instant > received_ms + limits.future_ms:
        return received_ms, "future"
    return instant, ""
