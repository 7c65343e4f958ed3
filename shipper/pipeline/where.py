"""Finds a line in the files and says what became of it: read when, by which rule, in which batch, acknowledged when.

Scans what is on disk, rotated and compressed siblings too, and joins the
ledger's spans, the dead letters and what a running agent says of its
endpoint. Reads only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shipper.adapters.dead_letters_reading import Brief
from shipper.adapters.offsets_snapshot import Ledger, Snapshot
from shipper.core.ledger import Entry
from shipper.core.letters import UNNAMED
from shipper.core.model import FileKey
from shipper.core.shipped import Shipped
from shipper.core.timestamps import utc_text
from shipper.core.whereabouts import Fate, whereabouts
from shipper.errors import SourceError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.remains import Remains
from shipper.pipeline.where_backfilled import IN_WORDS, backfilled_by
from shipper.pipeline.where_files import Home, Homes, opened
from shipper.pipeline.where_found import Found, Live, Match
from shipper.pipeline.where_record import Ruled, ask_the_rules
from shipper.pipeline.where_text import Line, lines_with, nearest_pattern

SHOWN_BYTES: Final = 400


class Search:
    """One question."""

    def __init__(
        self,
        homes: Homes,
        snapshot: Snapshot | None,
        readings: Mapping[str, SourceReading],
        letters: list[Brief],
        live: Live | None,
        guard: MatchGuard,
        shipped: Sequence[Shipped] = (),
    ) -> None:
        """Answer from what the caller has gathered.

        *letters* are whole where the text stands in them that is looked for; *live* is None where no agent runs;
        *shipped* is what backfills have sent.
        """
        self._shipped = shipped
        self._homes = homes
        self._snapshot = snapshot
        self._readings = readings
        self._letters: dict[FileKey, list[Brief]] = {}
        for letter in letters:
            self._letters.setdefault(FileKey(letter.file_id, letter.generation), []).append(letter)
        self._live = live
        self._guard = guard
        self._ledgers: dict[FileKey, Ledger | None] = {}

    def text(self, text: str, limit: int) -> Found:
        """Return the first *limit* lines with *text* in them, newest files first, and how many there are."""
        found = Found(
            gone=len(self._homes.gone), elsewhere=self._homes.elsewhere, matches=[], not_searched={}
        )  # fmt: skip
        for home in self._homes.homes:
            remains = opened(home)
            if remains is None:
                found.not_searched[home.path] = home.skipped or "it cannot be read"
                continue
            with remains:
                found.searched_files += 1
                self._in_file(home, remains, text, limit, found)
        for letter in self._lettered():
            found.count += 1
            if len(found.matches) < limit:
                found.matches.append(self._of_letter(letter))
        return found

    def line(self, path: str, number: int) -> Match | None:
        """Return what became of line *number* of the file at *path*; None where it has no such line."""
        home = self._homes.at(path)
        remains = opened(home)
        if remains is None:
            return Match(
                file=path, line=number, offset=0, text="", fate=Fate.NOT_FOLLOWED, source=home.source,
                why=home.skipped or "it cannot be read by you",
            )  # fmt: skip
        with remains:
            found = next((line for line in lines_with(remains, b"", home.encoding) if line.number == number), None)
            return self._of_line(home, remains, found) if found is not None else None

    def _in_file(self, home: Home, remains: Remains, text: str, limit: int, found: Found) -> None:
        needle = text.encode(home.encoding.removesuffix("-sig"), "surrogateescape")
        try:
            for line in lines_with(remains, needle, home.encoding):
                found.count += 1
                if len(found.matches) < limit:
                    found.matches.append(self._of_line(home, remains, line))
            found.searched_bytes += remains.length
        except SourceError as error:
            found.not_searched[home.path] = f"only in part: {error}"

    # -- what became of it -----------------------------------------------------------------------------

    def _of_line(self, home: Home, remains: Remains, line: Line) -> Match:
        shown = line.data[:SHOWN_BYTES].decode(home.encoding, "backslashreplace")
        match = Match(
            file=home.path, line=0 if remains.base else line.number, offset=line.offset, text=shown.rstrip("\r\n"),
            fate=Fate.NOT_FOLLOWED, source=home.source,
        )  # fmt: skip
        if home.life is None:
            match.why = self._why_not_followed(home)
            match.fate = Fate.UNREAD if home.source and not home.skipped else Fate.NOT_FOLLOWED
            return self._with_backfill(match)
        match.id = f"{home.life.file_id}.{home.life.generation}"
        ledger = self._ledger(home.life.key)
        known = whereabouts(ledger.spans, ledger.life.offset, line.offset) if ledger else None
        if ledger is None or known is None:
            self._unsettled(match, home, ledger)
            return match
        match.why = known.why
        if known.entry is not None:
            self._take_entry(match, known.entry)
        if known.fate is not None:
            match.fate = known.fate
            if known.fate is Fate.PASSED_OVER:
                self._with_backfill(match)
        elif known.entry is not None:
            ruled = ask_the_rules(
                home.life, known.entry, remains, line.offset, self._readings.get(home.source), self._guard
            )
            self._judge(match, known.entry, ruled, home.life.key)
        return match

    def _with_backfill(self, match: Match) -> Match:
        """Say of a line that the agent has not read whether a backfill has."""
        sent = backfilled_by(match.file, match.offset, self._shipped)
        if sent is not None:
            match.fate, match.why = Fate.BACKFILLED, f"{IN_WORDS}; {match.why}"
            match.source = match.source or sent.source
        return match

    def _judge(self, match: Match, entry: Entry, ruled: Ruled, key: FileKey) -> None:
        """Join what the rules say with the dead letters and with what is known of the whole span."""
        span = ruled.span or (match.offset, match.offset + 1)
        letter = self._letter_of(key, span[0], span[1])
        if letter is not None and letter.reason != UNNAMED:
            match.fate, match.letter = Fate.DEAD_LETTER, letter.id
            match.why, match.status = f"{letter.reason}: {letter.detail}".rstrip(": "), letter.status
            return
        fates = ", ".join(f"{count} {_words(name)}" for name, count in entry.rest.items())
        counts = f"of {entry.read} records of its span {entry.acked} were acknowledged, {fates}"
        if ruled.fate is None:
            match.fate, match.why = Fate.UNCERTAIN, f"{counts}; {ruled.why}"
        elif ruled.fate is Fate.DELIVERED and not _only_rules_decide(entry):
            match.fate, match.why = Fate.UNCERTAIN, f"it was sent; {counts}"
            if letter is not None:
                match.letter = letter.id
        else:
            match.fate, match.why = ruled.fate, ruled.why
        if match.fate is Fate.FILTERED:
            match.batch = match.batch_last = 0
            match.status = None

    def _unsettled(self, match: Match, home: Home, ledger: Ledger | None) -> None:
        safe = ledger.life.offset if ledger else 0
        behind = match.offset - safe
        if self._live is None:
            match.fate = Fate.UNREAD
            match.why = f"no agent runs here; {safe:,} bytes are delivered, {behind:,} before this line are not"
            return
        said = self._live.unread.get(match.id)
        unread, size = said or (0, 0)
        if unread and match.offset >= size - unread:
            match.fate = Fate.UNREAD
            match.why = f"{match.offset - (size - unread):,} bytes before it are not read yet; {self._live.endpoint}"
            return
        match.fate = Fate.WAITING
        # Of very many files the agent names those that are furthest behind.
        match.why = f"{'read, and ' if said else ''}not acknowledged yet; {self._live.endpoint}"

    def _why_not_followed(self, home: Home) -> str:
        if home.skipped:
            return f"the agent does not read this file: {home.skipped}"
        if home.source:
            running = "its next scan will find it" if self._live is not None else "and no agent runs here"
            return f"source {home.source} matches this file, the agent has not met it; {running}"
        return nearest_pattern(home.path, self._homes.config)

    def _take_entry(self, match: Match, entry: Entry) -> None:
        match.rule = entry.layout
        match.batch, match.batch_last, match.status = entry.batch, entry.batch_last, entry.status
        if not entry.dropped:
            match.read_at, match.acked_at = utc_text(entry.read_ms), utc_text(entry.acked_ms)
            match.read_until = match.read_at if match.offset == entry.start else match.acked_at
            one_answer = entry.batch == entry.batch_last != 0 and entry.acked == entry.read
            match.acked_since = match.acked_at if one_answer else match.read_at

    def _ledger(self, key: FileKey) -> Ledger | None:
        if key not in self._ledgers:
            self._ledgers[key] = self._snapshot.ledger(key) if self._snapshot else None
        return self._ledgers[key]

    # -- dead letters ----------------------------------------------------------------------------------

    def _letter_of(self, key: FileKey, start: int, end: int) -> Brief | None:
        """Return the letter of these bytes, rather one of its own than one of its batch."""
        letters = [one for one in self._letters.get(key, ()) if one.start < end and start < one.end]
        return min(letters, key=lambda one: (one.reason == UNNAMED, one.end - one.start), default=None)

    def _lettered(self) -> Iterator[Brief]:
        """Give the letters with the text in them whose files are gone: the others were found there."""
        here = {home.life.key for home in self._homes.homes if home.life}
        for key, letters in self._letters.items():
            if key not in here:
                yield from (letter for letter in letters if letter.line)

    def _of_letter(self, letter: Brief) -> Match:
        event = json.loads(letter.line).get("event") or {}
        return Match(
            file=letter.path, line=0, offset=letter.start, text=str(event.get("content", ""))[:SHOWN_BYTES],
            fate=Fate.DEAD_LETTER, why=f"{letter.reason}: {letter.detail}; its file is gone", source=letter.source,
            id=f"{letter.file_id}.{letter.generation}", status=letter.status, acked_since=letter.at,
            acked_at=letter.at, letter=letter.id,
        )  # fmt: skip


def _only_rules_decide(entry: Entry) -> bool:
    return not any(name in {UNNAMED, "filtered_too_old"} for name in entry.rest)


def _words(name: str) -> str:
    if name == UNNAMED:
        return "refused without being named"
    what, _, reason = name.partition("_")
    return f"{'dead letters' if what == 'dead' else 'filtered'} ({reason})"
