"""Random rules, and files that nearly fit them."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from shipper.core.model import Carry, FileFacts, FileKey, OpenPart
from shipper.core.rule import EventLimits, MaskRule, MultilineRule, RecordFormat, Rule, SeverityRule, StampRule, TooOld
from tests.core.line_strategies import BAD_BYTES, SHAPES, Layout, lines_of, regular_lines

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z

_GROUPS = (
    "timestamp", "severity", "level", "status", "Status", "thread", "log__logger", "host__name", "content", "a",
    "service__name", "dt__ingest__x", "log__source", "app__thread", "http__status_code", "log__raw_level", "shop",
    "a_name_that_is_longer_than_a_key_may_be",
)  # fmt: skip

FORMATS = st.sampled_from(
    [(), ("rfc3339",), ("%Y-%m-%d %H:%M:%S,%f", "rfc3339", "epoch_ms"), ("rfc3164",), ("epoch",),
     ("epoch_s", "epoch_us"), ("%d/%b/%Y:%H:%M:%S %z",), ("%Y-%m-%d %H:%M:%S",)]
)  # fmt: skip
SEVERITIES = st.builds(
    SeverityRule,
    words=st.sampled_from([{}, {"quiet": "debug", "info": "notice", "200": "warn"}]),
    rules=st.sampled_from([(), (("boom", "critical"),), (("secret-\\d", "alert"), ("o", "info"))]),
    default=st.sampled_from(["none", "info"]),
)
LIMITS = st.builds(
    EventLimits,
    content_bytes=st.sampled_from([65_536, 65_536, 65_536, 40]),
    key_bytes=st.sampled_from([100, 100, 12]),
    value_bytes=st.sampled_from([32_768, 32_768, 250, 16]),
    attributes=st.sampled_from([500, 50, 50, 6]),
    values=st.sampled_from([2, 32]),
    nesting=st.sampled_from([1, 2, 5]),
)
MASKS = st.sampled_from(
    [
        (),
        (MaskRule(r"secret-\d+", "****"),),
        (MaskRule(r"secret-(\d)", "\\1"), MaskRule("x+", "yyyyyyyyyyyyyyyyyyyyyyyyyyyy")),
        (MaskRule(r"\d{2,}", "é", names="thread|http.*|app.status|severity|log.raw_level"),),
        (MaskRule("[a-z]+", ""),),
    ]
)
HEADERS = st.sampled_from(
    [(), ("date", "time", "cs-method", "sc-status", "a"), ("#2026-11-23", "a", "time", "level", "b", "c"),
     ("date", "time", "date", "time", "a"), ("a", "datetime", "ts", "host.name", "status"), ("a", "b")]
)  # fmt: skip
STARTS = (r"\d{4}-", r"[A-Z]")


class Case(NamedTuple):
    """A rule, a file's bytes, where they are cut, and what came before."""

    rule: Rule
    data: bytes
    cuts: list[int]
    carry: Carry
    facts: FileFacts
    encoding: str
    chunk_bytes: int


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    names = draw(st.lists(st.sampled_from(_GROUPS), min_size=1, max_size=6, unique=True))
    if draw(st.booleans()) and "timestamp" not in names:
        names[0] = "timestamp"
    return Layout(tuple(names), tuple(draw(st.booleans()) for _ in names))


@st.composite
def multilines(draw: st.DrawFn, *, has_pattern: bool) -> MultilineRule | None:
    kind = draw(st.sampled_from(["none", "none", "start", "continue", "stamp"]))
    if kind == "none" or (kind == "stamp" and not has_pattern):
        return None
    return MultilineRule(
        start=draw(st.sampled_from(STARTS)) if kind == "start" else None,
        start_at_stamp=kind == "stamp",
        continue_=r"\s" if kind == "continue" else None,
        max_lines=draw(st.sampled_from([2, 5, 1000])),
        max_bytes=draw(st.sampled_from([30, 200, 1 << 20])),
    )


@st.composite
def rules(draw: st.DrawFn, record_format: RecordFormat, layout: tuple[Layout, ...]) -> Rule:
    return Rule(
        source="shop",
        layout="under_test",
        format=record_format,
        patterns=tuple(one.pattern for one in layout),
        stamp=StampRule(formats=draw(FORMATS), zone=draw(st.sampled_from(["", "Europe/Vienna", "-03:00"]))),
        severity=draw(SEVERITIES),
        multiline=draw(multilines(has_pattern=bool(layout))),
        keep=draw(st.sampled_from([(), (), ("a|o|1",)])),
        drop=draw(st.sampled_from([(), (), ("noise",)])),
        masks=draw(MASKS),
        attributes=draw(
            st.sampled_from([{}, {"host.name": "h", "dt.ingest.origin": "shipper"}, {"service.name": "shop"}])
        ),
        limits=draw(LIMITS),
        record_id=draw(st.integers(0, 9)) == 9,
        ansi=draw(st.integers(0, 4)) == 4,
        too_old=draw(st.sampled_from(TooOld)),
    )


@st.composite
def carries(draw: st.DrawFn, encoding: str) -> Carry:
    part = None
    if draw(st.integers(0, 9)) == 0:
        part = OpenPart(draw(st.sampled_from([-1, 1, 4])), "2026-11-23T19:00:00.000Z", "info", {"a": "b"})
    return Carry(
        stamp_ms=draw(st.sampled_from([None, NOW_MS - 5_000, NOW_MS - 90_000_000, NOW_MS + 3_600_000])),
        restamp_ms=draw(st.sampled_from([0, NOW_MS - 50, NOW_MS + 50])),
        encoding=encoding,
        header=draw(HEADERS),
        part=part,
    )


FACTS = st.builds(
    FileFacts,
    key=st.just(FileKey(7, 2)),
    path=st.just("/var/log/shop/a.log"),
    name=st.just("a.log"),
    mtime_ms=st.sampled_from([NOW_MS, NOW_MS - 40 * 86_400_000]),
    attributes=st.sampled_from([{}, {"pod": "p-1"}, {"thread": "from-path", "a": ""}]),
)


@st.composite
def cases(draw: st.DrawFn, formats: tuple[RecordFormat, ...]) -> Case:
    record_format = draw(st.sampled_from(formats))
    container = record_format in (RecordFormat.CRI, RecordFormat.DOCKER)
    wanted = record_format is RecordFormat.PATTERN or (container and draw(st.integers(0, 4)) == 0)
    layout = tuple(draw(st.lists(layouts(), min_size=1, max_size=2))) if wanted else ()
    rule = draw(rules(record_format, layout))
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-16-le", "utf-16-be", "iso8859-1", "shift_jis"]))
    ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", "\r\r\n", "\n \n"])
    data = b""
    shapes = draw(SHAPES)
    clean = draw(st.booleans())
    lines = lines_of(record_format, layout, shapes)
    if clean and not wanted and record_format not in (RecordFormat.RAW, RecordFormat.PATTERN):
        lines = regular_lines(record_format, shapes)
    for line in draw(st.lists(lines, max_size=8)):
        data += (line + draw(ends)).encode(encoding, "replace")
        if encoding == "utf-8" and not clean and draw(st.integers(0, 25)) == 0:
            data += draw(BAD_BYTES)
    if not clean and draw(st.integers(0, 4)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    cuts = draw(st.lists(st.integers(0, max(len(data), 1)), max_size=4))
    chunk_bytes = draw(st.sampled_from([96, 65_536]))
    return Case(rule, data, cuts, draw(carries(encoding)), draw(FACTS), encoding, chunk_bytes)
