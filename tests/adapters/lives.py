"""A row of the offset store, and the time it is."""

from __future__ import annotations

import msgspec

from shipper.adapters.offsets import Life

NOW_MS = 1_795_464_000_000


def life(file_id: int = 1, generation: int = 0, **changes: object) -> Life:
    base = Life(file_id=file_id, generation=generation, source="shop", path="/var/log/a.log", device=1, inode=2)
    return msgspec.structs.replace(base, **changes)
