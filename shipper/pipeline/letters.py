"""From what was refused to the dead letters that are kept of it."""

from __future__ import annotations

from shipper.core.batch import Portion, Settlement
from shipper.core.letters import UNNAMED, DeadLetter
from shipper.core.model import Refused
from shipper.core.timestamps import utc_text


def letters_for(portion: Portion, settlement: Settlement, source: str, now_ms: int) -> list[DeadLetter]:
    """Return a letter for each event of *portion* that was refused, by a rule or by the endpoint."""
    letters = [_letter(portion, refused, source, now_ms, None) for refused in (*portion.encoded.refused,)]
    letters += [_letter(portion, refused, source, now_ms, settlement.status) for refused in settlement.refused]
    if settlement.unnamed_in_batch:
        chunk = portion.chunk
        letters.append(
            DeadLetter(
                source=source,
                path=portion.facts.path,
                file_id=portion.key.file_id,
                generation=portion.key.generation,
                start=chunk.start,
                end=chunk.end,
                reason=UNNAMED,
                at=utc_text(now_ms),
                status=settlement.status,
                detail=f"{settlement.unnamed_in_batch} of this batch: {settlement.unnamed_detail}",
            )
        )
    return letters


def _letter(portion: Portion, refused: Refused, source: str, now_ms: int, status: int | None) -> DeadLetter:
    part = str(refused.event.get("log.part", "0")) if refused.event else "0"
    return DeadLetter(
        source=source,
        path=portion.facts.path,
        file_id=portion.key.file_id,
        generation=portion.key.generation,
        start=refused.span.start,
        end=refused.span.end,
        part=int(part.partition("/")[0]),
        reason=refused.reason,
        at=utc_text(now_ms),
        status=status,
        detail=refused.detail,
        event=refused.event,
    )
