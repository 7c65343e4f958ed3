"""What can go wrong in the store, by who acts next; `StateError` and its kin are those of `shipper.errors`."""

from __future__ import annotations

from shipper.errors import ShipperError, StateError


class StoreFull(StateError):
    """There is no room: nothing of the request was kept; the client sends it again later."""


class BadCursor(ShipperError):
    """The cursor is none of ours, or belongs to the other order."""


class FrameDamaged(Exception):
    """Bytes that are no frame, or whose checksum says that they have changed; the store passes them over."""
