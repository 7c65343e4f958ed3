"""What a search for a line has found, as `shipper where --json` prints it, and what it is told of a running agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from shipper.core.whereabouts import Fate


class Match(msgspec.Struct, kw_only=True):
    """One line, and what became of it.

    Attributes:
        file: Where it stands; of a dead letter whose file is gone, where it stood.
        line: Its number, from 1; 0 where that is not known.
        offset: Of its first byte, in the text.
        text: The line, cut to a length that can be shown.
        fate: One of `shipper.core.whereabouts.Fate`.
        why: In words.
        id: Of the generation, as `shipper state` knows it; empty for none.
        rule: Layout by which it was read.
        batch, batch_last: Numbers of the requests of its span; 0 where none was sent.
        status: Of the answer.
        read_at, read_until: RFC 3339; it was read between these. Empty where it was not.
        acked_since, acked_at: It was acknowledged, or settled otherwise, between these: the ledger keeps what becomes
            of a span, not of a line, and a span grows for ten seconds, and with age.
        letter: Id of its dead letter.
    """

    file: str
    line: int
    offset: int
    text: str
    fate: Fate
    why: str = ""
    id: str = ""
    source: str = ""
    rule: str = ""
    batch: int = 0
    batch_last: int = 0
    status: int | None = None
    read_at: str = ""
    read_until: str = ""
    acked_since: str = ""
    acked_at: str = ""
    letter: str = ""


class Found(msgspec.Struct, kw_only=True):
    """What a search has found.

    Attributes:
        matches: The first of them, newest files first.
        count: Of all of them.
        searched_files, searched_bytes: What was looked into.
        not_searched: Path to reason, of what can not be.
        gone: Files whose text is on no disk any more: nothing can be found in them.
        elsewhere: Texts that only a backfill has read, and that stand in no file of this host.
    """

    matches: list[Match] = []
    count: int = 0
    searched_files: int = 0
    searched_bytes: int = 0
    not_searched: dict[str, str] = {}
    gone: int = 0
    elsewhere: int = 0


class Live(NamedTuple):
    """What a running agent says.

    Attributes:
        endpoint: In words: how it answers, and what keeps its answers from being saved.
        unread: Bytes that are not converted yet, and the size that is known, by the generation's id.
    """

    endpoint: str
    unread: Mapping[str, tuple[int, int]]
