"""`run --once`: every source to its end and delivered, or a reason why that never comes."""

from __future__ import annotations

import asyncio
from typing import Final

from shipper.errors import StateError
from shipper.pipeline.assembly import Parts

LOOK_SECONDS: Final = 0.2


async def ship_everything(parts: Parts) -> None:
    """Read every source to its end, and wait until all of it is acknowledged and saved.

    Raises:
        StateError: There is no room for a dead letter. It is held, and no offset passes it; but this run has the
            lock, so nobody can make room while it waits.
    """
    shipping = asyncio.ensure_future(_ship(parts))
    try:
        while not shipping.done():
            await asyncio.wait({shipping}, timeout=LOOK_SECONDS)
            if not shipping.done() and parts.committer.letters_full:
                raise StateError(
                    "this run ends here, as no dead letter can be kept any more; nothing is lost: what is not saved,"
                    f" {parts.committer.unsaved_acked:,} acknowledged records among it, is sent by the next run;"
                    f" {parts.committer.failing}"
                )
    finally:
        shipping.cancel()
        await asyncio.gather(shipping, return_exceptions=True)
    shipping.result()


async def _ship(parts: Parts) -> None:
    await parts.following.read_to_end()
    await parts.sender.drain(None)
    while not await parts.committer.save():
        await asyncio.sleep(LOOK_SECONDS)
