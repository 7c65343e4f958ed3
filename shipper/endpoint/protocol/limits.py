"""What the receiving side takes: one struct, one row a profile.

Source: the reference page, section 5 ("Limits, old and new" and "Recommended
defaults"). Sizes are UTF-8 bytes, 1024-based.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shipper.errors import UsageError

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Limits(msgspec.Struct, frozen=True):
    """Over *body_bytes*, *processed_bytes* or *events* a request is refused; over the others, an event is trimmed.

    Attributes:
        body_bytes: Of a request, on the wire and again after inflating.
        processed_bytes: Of a request's events with the attributes that its query and headers add to each.
        events: In a request.
        content_bytes, key_bytes, value_bytes: Of one content, attribute key, attribute value.
        attributes: Of one event.
        values: Of one attribute.
        nesting: Objects in objects that become dotted keys.
        max_age_ms: An older event is refused.
        future_ms: An event further ahead gets the current time.
    """

    body_bytes: int = 10 * MIB
    processed_bytes: int = 16 * MIB
    events: int = 50_000
    content_bytes: int = 512 * KIB
    key_bytes: int = 100
    value_bytes: int = 32 * KIB
    attributes: int = 500
    values: int = 32
    nesting: int = 5
    max_age_ms: int = 86_400_000
    future_ms: int = 600_000


_CLASSIC: Final = Limits(content_bytes=8 * KIB, value_bytes=250, attributes=50)
_PROFILES: Final = {
    "": Limits(),
    "saas": Limits(content_bytes=10 * MIB),
    "classic": _CLASSIC,
    "managed": _CLASSIC,
}

# Where every value is kept as text under a lower-case key: section 4.3, "Scalars".
CLASSIC_PROFILES: Final = frozenset({"classic", "managed"})


def limits_for(profile: str) -> Limits:
    """Return the limits of *profile*: saas, classic, managed, or "" for the endpoint's own.

    Raises:
        UsageError: There is no such profile.
    """
    try:
        return _PROFILES[profile]
    except KeyError:
        raise UsageError(f"profile {profile!r} is unknown; use saas, classic or managed") from None
