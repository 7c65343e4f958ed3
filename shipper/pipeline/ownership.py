"""Which source reads a file, by its path; and who takes over what a source leaves that is gone or reads it no more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shipper.adapters.offsets import Life
from shipper.config import Source
from shipper.core.patterns import Excludes, compile_patterns


class Owners:
    """The patterns of all sources, in file order: the first that matches owns the file."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Compile the patterns."""
        self.names = {source.name for source in sources}
        self._sources = [
            (source.name, [p.regex for text in source.paths for p in compile_patterns(text)], Excludes(source.exclude))
            for source in sources
        ]

    def of(self, path: str) -> str | None:
        """Return the name of the source whose patterns match *path*."""
        for name, patterns, excludes in self._sources:
            if any(pattern.fullmatch(path) for pattern in patterns) and not excludes.match(path):
                return name
        return None

    def inherit(self, lives: Sequence[Life]) -> list[Life]:
        """Return *lives*, of sources that are gone those that another reads under its name.

        A source that was given another name does not send its files again. Rotated files go along with their lineage.
        """
        heirs: dict[int, str] = {}
        for life in lives:
            if life.source not in self.names and (heir := self.of(life.path)) is not None:
                heirs.setdefault(life.lineage or life.file_id, heir)
        return [
            msgspec.structs.replace(life, source=heirs[life.lineage or life.file_id])
            if life.source not in self.names and (life.lineage or life.file_id) in heirs
            else life
            for life in lives
        ]
