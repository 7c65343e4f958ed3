"""What `shipper check` found, as it is printed by `--json`; the tables are check_tables.py's."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["failed", "warning", "note"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to know: *failed* makes the exit code 1; *mend* is the command that helps."""

    level: Level
    text: str
    mend: str = ""


class PatternReport(msgspec.Struct, frozen=True):
    """A path pattern and how many files it matches now; those of earlier sources are counted too."""

    pattern: str
    files: int


class Skipped(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that matches and is not read, and the command that would change it."""

    path: str
    reason: str
    mend: str = ""


class TestReport(msgspec.Struct, frozen=True):
    """One of a source's tests: what differed, nothing where it passed."""

    number: int
    line: str
    differences: list[str]


class SourceReport(msgspec.Struct):
    """What was found for one source."""

    name: str
    format: str
    rules: int
    patterns: list[PatternReport]
    files: int
    skipped: list[Skipped]
    tests: list[TestReport]
    findings: list[Finding]


class Overlap(msgspec.Struct, frozen=True):
    """A file that several sources match, and whose it is."""

    path: str
    owner: str
    others: list[str]


class Report(msgspec.Struct):
    """All that was found."""

    config: str
    state_dir: str
    endpoint: str
    sources: list[SourceReport]
    overlaps: list[Overlap]
    findings: list[Finding]

    @property
    def all_findings(self) -> list[Finding]:
        """Those of the whole and of each source."""
        return [*self.findings, *(finding for source in self.sources for finding in source.findings)]

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(finding.level == "failed" for finding in self.all_findings)
