"""One entry of `sources` as frozen structs, as written: what a preset adds is merged in rules.py.

None stands for "not given" wherever a preset may have an opinion. The
"Attributes" paragraphs are the descriptions in the JSON Schema too.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shipper.config.templates import is_template, plain_text
from shipper.config.value_types import Duration, Size, Words


class TimestampKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the time stands and how it is written.

    Attributes:
        field: Group or JSON path; default the group `timestamp`, in JSON the API's key list.
        formats: Tried in order; strptime plus rfc3339, rfc3164, epoch_s, epoch_ms, epoch_us, epoch_ns.
        timezone: IANA name or offset for stamps without one; default the host's zone.
    """

    field: str | None = None
    formats: tuple[str, ...] = ()
    timezone: str | None = None


class SeverityMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level that the content decides.

    Attributes:
        match: Pattern searched in the content.
        severity: The level of records in which it is found.
    """

    match: str
    severity: str


class SeverityKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the level stands and what its words mean.

    Attributes:
        field: Group or JSON path; default the group `severity` or `level`, in JSON the API's key list.
        map: The source's own words, exact but for case; adds to the built-in words and numbers.
        rules: On the content, first match wins, over the field.
        default: For records without a level that is understood; default none.
    """

    field: str | None = None
    map: dict[str, str] = {}
    rules: tuple[SeverityMatch, ...] = ()
    default: str | None = None


class MultilineKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines belong together.

    Attributes:
        start: Pattern of a record's first line, or the word timestamp.
        continue_: Pattern of the lines that go on with the record above.
        heading: Pattern of a line that stands above its record: what begins one right below it goes on with it.
        max_lines: A longer record is cut here; default 1000.
        max_bytes: A longer record is cut here; default 1MiB.
        timeout_seconds: How long a file must be quiet at its end before its last record is closed; default 2s.
    """

    start: str | None = None
    continue_: str | None = msgspec.field(default=None, name="continue")
    heading: str | None = None
    max_lines: Annotated[int, Meta(ge=1)] | None = None
    max_bytes: Annotated[Size, Meta(ge=1)] | None = None
    timeout_seconds: Duration | None = msgspec.field(default=None, name="timeout")


class MaskKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Text that must not leave this process.

    Attributes:
        pattern: The whole match is replaced, or its one group.
        preset: A ready-made pattern, instead of one of your own.
        replace: What stands in its place, taken literally; default ****, for a preset its name in angle brackets.
    """

    pattern: str | None = None
    preset: str | None = None
    replace: Words | None = None


AttributeWords = Words | tuple[Words, ...]
"""An attribute's value as a test names it: a list where it has several."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a test's record must become; what is not named is not looked at.

    Attributes:
        severity: As it is sent.
        timestamp: RFC 3339, as it is sent but for an age limit; none for a record without a readable stamp.
        content: The record's text, masked.
        attributes: Some of its attributes; an empty value means that there must be none.
        left_out: By which rule nothing is sent; drop or keep.
        records: How many records the text is; the first one is looked at.
    """

    severity: str | None = None
    timestamp: str | None = None
    content: str | None = None
    attributes: dict[str, AttributeWords | None] = {}
    left_out: Literal["drop", "keep"] | None = None
    records: Annotated[int, Meta(ge=1)] = 1


class RuleTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line and what it must become: run by `shipper check`.

    Attributes:
        line: The text as it stands in a file; several lines where the record has several.
        expect: What it must become.
        written: When the file was last written, RFC 3339, for stamps without a year; default now.
    """

    line: str
    expect: Expected
    written: str | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files are read, and how.

    Attributes:
        name: Sent as log.source.
        paths: Globs with **, * and {a,b}; relative ones start at the folder of this file.
        exclude: Globs of files to leave alone: a file's name, or its whole path where the glob has a slash.
        rotated_to: Directories that these files are rotated into, where those stand neither below the files' own nor in
            paths; globs too. Rotated files are looked for there, nothing else in them is read.
        start_at: For a file met for the first time when the agent starts; a file born later is read whole.
        ignore_older_seconds: Files last modified longer ago are left alone; off by default.
        encoding: auto (byte order mark, else UTF-8) or the name of a Python codec.
        format: auto, raw, json, logfmt, cri, docker or the name of a preset.
        pattern: Instead of a format; named groups become attributes. With cri and docker it reads the inner message.
        timestamp: Where the time stands and how it is written.
        severity: Where the level stands and what its words mean.
        multiline: Which lines belong together.
        keep: Patterns; at least one must be found in a record, if any is given.
        drop: Patterns; a record in which one is found is left out.
        mask: What is replaced before anything leaves the process.
        attributes: On every event of this source; ${1} is what the path's first wildcard stands for, ${0} the path.
        poll: For file systems without change events; auto, always or an interval such as 5s.
        rate_limit_bytes: Bytes a second at which a file is read at most, 0 for no limit; slows reading, never drops.
        record_id: Whether every event carries log.record_id.
        binary: skip leaves files alone whose content is binary.
        tests: Lines and what they must become; run by `shipper check`, never by the agent.
    """

    name: str
    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    rotated_to: tuple[str, ...] = ()
    start_at: Literal["beginning", "end"] = "beginning"
    ignore_older_seconds: Duration | None = msgspec.field(default=None, name="ignore_older")
    encoding: str = "auto"
    format: str = "auto"
    pattern: str | None = None
    timestamp: TimestampKeys = TimestampKeys()
    severity: SeverityKeys = SeverityKeys()
    multiline: MultilineKeys | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    mask: tuple[MaskKeys, ...] = ()
    attributes: dict[str, Words] = {}
    poll: Literal["auto", "always"] | Duration = "auto"
    rate_limit_bytes: Size = msgspec.field(default=0, name="rate_limit")
    record_id: bool = False
    binary: Literal["skip", "always"] = "skip"
    tests: tuple[RuleTest, ...] = ()

    @property
    def static_attributes(self) -> dict[str, str]:
        """Those that are the same for every file."""
        return {key: plain_text(text) for key, text in self.attributes.items() if not is_template(text)}

    @property
    def path_attributes(self) -> dict[str, str]:
        """Those that take parts of the path; `fill_path_attributes` fills them for a file."""
        return {key: text for key, text in self.attributes.items() if is_template(text)}
