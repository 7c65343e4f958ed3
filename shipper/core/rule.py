"""A source's rules, resolved: what config makes of agent.yaml and presets, and core reads by.

Everything a reader needs stands here in plain values; patterns are text that
config has compiled once to check it. Nothing here knows YAML.
"""

from __future__ import annotations

import enum

import msgspec


class RecordFormat(enum.Enum):
    """How a record's text is taken apart."""

    AUTO = "auto"
    RAW = "raw"
    PATTERN = "pattern"
    JSON = "json"
    LOGFMT = "logfmt"
    CRI = "cri"
    DOCKER = "docker"
    W3C = "w3c"


class TooOld(enum.Enum):
    """What becomes of an event that is past the endpoint's age limit."""

    RESTAMP = "restamp"
    DROP = "drop"
    DEAD_LETTER = "dead_letter"


class StampRule(msgspec.Struct, frozen=True):
    """Where the time stands and how it is written.

    Attributes:
        field: Group or JSON path; None = the group ``timestamp``, in JSON the API's key list.
        formats: Tried in order; empty = every form that the reference page's tables name.
        zone: IANA name or ``+HH:MM`` for stamps without a zone; empty = the host's zone.
    """

    field: str | None = None
    formats: tuple[str, ...] = ()
    zone: str = ""


class SeverityRule(msgspec.Struct, frozen=True):
    """Where the level stands and what its words mean.

    Attributes:
        field: Group or JSON path; None = the group ``severity`` or ``level``, in JSON the API's key list.
        words: The source's own words, lower case, to canonical severities; over the built-in ones.
        rules: (pattern, severity) searched in the content, first match wins, over the field.
        default: For records without a level that is understood.
    """

    field: str | None = None
    words: dict[str, str] = {}
    rules: tuple[tuple[str, str], ...] = ()
    default: str = "none"


class MultilineRule(msgspec.Struct, frozen=True):
    """Which lines belong together.

    Attributes:
        start: A line that this matches (``re.match``) begins a record.
        start_at_stamp: A line on which the source's pattern matches begins a record (``start: timestamp``).
        continue_: A line that this matches (``re.match``) goes on with the record above.
        heading: A line that this matches stands above its record: what begins one right below it goes on with it.
        max_lines, max_bytes: A record that would pass one of these is cut there.
        timeout_ms: How long a file must be quiet at its end before an open record is closed.
    """

    start: str | None = None
    start_at_stamp: bool = False
    continue_: str | None = None
    heading: str | None = None
    max_lines: int = 1000
    max_bytes: int = 1 << 20
    timeout_ms: int = 2000


class MaskRule(msgspec.Struct, frozen=True):
    """Text that must not leave: the whole match, or its one group, becomes *replace* (taken literally).

    Attributes:
        check: A name in ``masks.CHECKS``: of the matches only what passes it is replaced, and groups do not matter.
        names: Attributes whose whole value is replaced, whatever it is: a pattern for all of the name, in any case.
    """

    pattern: str
    replace: str
    check: str = ""
    names: str = ""


class EventLimits(msgspec.Struct, frozen=True):
    """What the receiving side takes, in UTF-8 bytes. Source: the reference page, section 5."""

    content_bytes: int = 65_536
    key_bytes: int = 100
    value_bytes: int = 32_768
    attributes: int = 500
    values: int = 32
    nesting: int = 5


class Rule(msgspec.Struct, frozen=True):
    """One way to read a file.

    Attributes:
        source: The source's name, sent as ``log.source``.
        layout: Name of the preset or format, for logs, ``explain`` and the carry.
        patterns: For PATTERN: alternatives tried in order (``re.match`` on the record's text, DOTALL is not
            set, MULTILINE is not set). For CRI and DOCKER: applied to the inner message.
        attributes: On every event of the source: host.name, dt.ingest.origin and the static ones.
        candidates: For AUTO: the rules to choose from, best first among equals.
        sign: For a candidate: searched in a record, and without it the layout is not this one.
        rank: For a candidate: 0 for the format of one program, more for those of families and for general ones.
        ansi: Terminal colour codes are taken out of the text before anything else.
    """

    source: str
    layout: str
    format: RecordFormat
    patterns: tuple[str, ...] = ()
    stamp: StampRule = StampRule()
    severity: SeverityRule = SeverityRule()
    multiline: MultilineRule | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    masks: tuple[MaskRule, ...] = ()
    attributes: dict[str, str] = {}
    limits: EventLimits = EventLimits()
    record_id: bool = False
    encoding: str = "auto"
    too_old: TooOld = TooOld.RESTAMP
    max_age_ms: int = 24 * 3_600_000 - 60_000
    max_ahead_ms: int = 10 * 60_000
    open_line_timeout_ms: int = 2000
    candidates: tuple[Rule, ...] = ()
    sign: str | None = None
    rank: int = 0
    ansi: bool = False
