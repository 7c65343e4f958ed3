"""The dead letters looked at from outside: whoever owns them goes on, nothing is cut or written.

Of letters only what says which bytes they are of, and why; their events may be
large.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Brief(msgspec.Struct, frozen=True):
    """A dead letter without its event.

    Attributes:
        line: The whole letter as it stands in its file, JSON, where that was asked for; else empty.
    """

    id: str
    at: str
    source: str
    path: str
    file_id: int
    generation: int
    start: int
    end: int
    reason: str
    status: int | None = None
    detail: str = ""
    line: bytes = b""


_decode = msgspec.json.Decoder(Brief).decode


def briefs(state_dir: Path, text: str = "") -> Iterator[Brief]:
    """Yield every letter under *state_dir*, oldest first, whole where *text* stands in it.

    What is no whole letter is passed over.
    """
    needle = json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    paths = [path for path in (state_dir / "dead_letters").glob("*.ndjson") if path.stem.isdecimal()]
    for path in sorted(paths, key=lambda path: int(path.stem)):
        try:
            with path.open("rb") as file:
                for line in file:
                    try:
                        brief = _decode(line)
                    except msgspec.MsgspecError:
                        continue
                    yield msgspec.structs.replace(brief, line=line if needle and needle in line else b"")
        except FileNotFoundError:  # dropped meanwhile
            continue
