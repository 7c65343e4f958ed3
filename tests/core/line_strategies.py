"""Random lines that nearly fit their formats: half-matching lines, impossible stamps, bytes that are no text."""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import strategies as st

from shipper.core.rule import RecordFormat

STAMPS = st.sampled_from(
    [
        "2026-11-23T19:59:58.123Z", "2026-11-23T19:59:58.9Z", "2026-11-23T19:59:58,123456789Z", "2026-11-23T19:59:59Z",
        "2026-11-23T20:59:59.5+01:00", "2026-11-23T19:59:57", "2026-11-23 19:59:57.250", "2026-11-23 19:59:57,250",
        "2026-11-23T19:59:58.Z", "2026-11-23T19:59:58.1234567890Z", "2026-11-23T25:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-23T19:59:58.123X", "2026-11-20T00:00:00.001Z", "2026-11-22T20:00:59.999Z", "2026-11-22T20:01:00.000Z",
        "2026-11-23T20:09:59.999Z", "2026-11-23T20:10:00.001Z", "2027-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
        "2026-10-25 02:30:00", "2026-10-25 02:10:00.5", "2026-10-25 01:59:59", "2026-03-29 02:30:00", "Nov 23 19:59:58",
        "Nov  3 19:59:58.5", "Feb 29 12:00:00", "Dec 31 23:59:59", "23/Nov/2026:19:59:58 +0000", "1795463998",
        "1795463998.25", "1795463998250", "1795463998250000", "-5", "99999999999999999999", "٢٠٢٦", "-", "", " ", "x",
        "2026-11-23T19:59:5٨Z", "2026-11-23T19:59:58.٨Z", "2026-11-23T19:59:58.²Z", "2026-11-23T19:59:58:123Z",
    ]
)  # fmt: skip
REGULAR_STAMPS = st.sampled_from(
    ["2026-11-23T19:59:58.123456789Z", "2026-11-23T19:59:58.123999999Z", "2026-11-23T19:59:58.12345678Z",
     "2026-11-23T19:59:59.9Z", "2026-11-23T19:59:59Z", "2026-11-23T20:59:59.123456789+01:00",
     "2026-11-22T20:00:59.999999999Z", "2026-11-23T20:09:59.999999999Z", "2026-11-23T19:59:58.1234567890Z"]
)  # fmt: skip
LEVELS = st.sampled_from(
    ["INFO", "info", "WARN", "W", "ERROR", "FINE", "fatal", "3", "7", "30", "61", "200", "", "??", "quiet", "None", "é"]
)
STATUSES = st.sampled_from(["200", "404", "599", "600", "20", "٢٠٠", "", "ok", "error", "1"])
WORDS = st.sampled_from(
    ["", "a", "b c", "é", "日本", "😀", '"', "\\", "%", "secret-1", "secret-22", "boom", "noise", "\x85", "{", "}", "|",
     "\t", " ", "\r", "\x1c", "\x00", "'", "x" * 17, "x" * 60, "é" * 30, "a=b", 'k="v\\"w"', "\x1b[0m", "\u2028"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=4).map("".join)
PLAIN = st.sampled_from(["started", "boom at é", "a=b c", "user=7 said 日本", "noise", "{ not JSON", "x" * 60, ""])
BAD_BYTES = st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\x80\n", b"\xe9t\xe9"])

_FIELDS = {"timestamp": STAMPS, "severity": LEVELS, "level": LEVELS, "status": STATUSES, "Status": STATUSES}

_JSON_KEYS = st.sampled_from(
    ["timestamp", "time", "@timestamp", "Time", "ts", "level", "Level", "severity", "status", "STATUS", "message", "a",
     "content", "host.name", "host", "log.source", "dt.ingest.x", "app.a", "é", "", "a.b", "a key over the limit of it"]
)  # fmt: skip
_JSON_SCALARS = st.one_of(
    STAMPS, LEVELS, STATUSES, TEXTS, st.none(), st.booleans(), st.integers(-(2**70), 2**70),
    st.sampled_from([1e308, 0.5, -0.0, 1_795_463_998, 1_795_463_998_250, 1_795_463_998.25, 30, 3, 200]),
)  # fmt: skip
_JSON_VALUES = st.recursive(
    _JSON_SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_JSON_KEYS, inner, max_size=3),
    max_leaves=5,
)

_EPOCHS = st.sampled_from([1_795_463_998, 1_795_463_998_250, 5, -1])
_JSON_KINDS: dict[str, st.SearchStrategy[object]] = {
    "timestamp": STAMPS, "time": STAMPS | _EPOCHS, "Time": STAMPS, "@timestamp": _EPOCHS, "ts": st.floats(0, 1e13),
    "level": LEVELS, "Level": st.sampled_from([30, 3, 200]),
    "severity": LEVELS, "status": STATUSES | st.integers(0, 600),
    "STATUS": STATUSES, "message": TEXTS, "content": TEXTS, "a": st.lists(TEXTS | st.integers(), max_size=3),
    "host": st.dictionaries(st.sampled_from(["name", "x", "level"]), TEXTS, max_size=2), "é": TEXTS | st.none(),
    "a.b": st.booleans(), "app.a": st.lists(st.integers() | st.none(), max_size=3),
}  # fmt: skip
SHAPES = st.lists(st.lists(_JSON_KEYS, min_size=1, max_size=6, unique=True).map(tuple), min_size=1, max_size=2).map(
    tuple
)


class Layout(NamedTuple):
    """A pattern's fields in order, each with whether it may be absent."""

    names: tuple[str, ...]
    optional: tuple[bool, ...]

    @property
    def pattern(self) -> str:
        """Fields between bars."""
        text = "^"
        for index, (name, optional) in enumerate(zip(self.names, self.optional, strict=True)):
            field = f"{chr(92) + '|' if index else ''}(?P<{name}>[^|]*)"
            text += f"(?:{field})?" if optional else field
        return text


@st.composite
def lines_of(
    draw: st.DrawFn, record_format: RecordFormat, layout: tuple[Layout, ...], shapes: tuple[tuple[str, ...], ...]
) -> str:
    """Return a line of the format, or one that is nearly one."""
    if draw(st.integers(0, 5)) == 0:
        return draw(TEXTS) + draw(STAMPS) + draw(TEXTS)
    if layout and record_format is RecordFormat.PATTERN:
        one = draw(st.sampled_from(layout))
        text = "|".join(draw(_FIELDS.get(name, TEXTS)) for name in one.names) + "|" + draw(TEXTS)
    elif record_format is RecordFormat.JSON:
        text = draw(json_lines()) if draw(st.integers(0, 3)) == 0 else draw(shaped_lines(draw(st.sampled_from(shapes))))
    elif record_format is RecordFormat.W3C:
        fields = draw(st.lists(st.sampled_from(["date", "time", "c-ip", "sc-status", "a"]), max_size=4))
        values = " ".join(draw(st.one_of(STAMPS, STATUSES, TEXTS)) for _ in range(4))
        text = draw(st.sampled_from(["#Fields: " + " ".join(fields), "#Date: 2026-11-23", values, values, values]))
    elif record_format is RecordFormat.LOGFMT:
        text = draw(logfmt_lines())
    elif record_format is RecordFormat.CRI:
        flag = draw(st.sampled_from(["P", "F", "F", "F", "P:x", "Q", ""]))
        stream = draw(st.sampled_from(["stdout", "stderr", "std"]))
        text = f"{draw(STAMPS)} {stream} {flag} {draw(inner_texts())}"
    elif record_format is RecordFormat.DOCKER:
        log = draw(inner_texts()) + draw(st.sampled_from(["\n", "\n", "\r\n", ""]))
        line = {"log": log, "stream": draw(st.sampled_from(["stdout", "stderr", "x"])), "time": draw(STAMPS)}
        text = json.dumps(line, ensure_ascii=draw(st.booleans()))
    else:
        text = draw(STAMPS) + " " + draw(TEXTS)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 7)) == 0 else text


@st.composite
def regular_lines(draw: st.DrawFn, record_format: RecordFormat, shapes: tuple[tuple[str, ...], ...]) -> str:
    """Return a line as the program of the format writes nearly all of its lines."""
    stream = draw(st.sampled_from(["stdout", "stdout", "stderr"]))
    pairs = [f"{key}={draw(st.sampled_from(['info', 'x', '200', '']))}" for key in draw(st.sampled_from(shapes)) if key]
    if record_format is RecordFormat.LOGFMT:
        return " ".join([f"time={draw(REGULAR_STAMPS)}", f"level={draw(LEVELS)}", f'msg="{draw(PLAIN)}"', *pairs])
    if record_format is RecordFormat.W3C:
        if draw(st.integers(0, 9)) == 0:
            return "#Fields: date time a-b status sc-status"
        values = " ".join(draw(st.sampled_from(["GET", "-", "200", "/a", "(empty)", "07:00:01"])) for _ in range(3))
        return f"2026-11-23 19:59:5{draw(st.integers(0, 9))} {values}"
    if record_format is RecordFormat.JSON:
        return draw(shaped_lines(draw(st.sampled_from(shapes))))
    message = draw(PLAIN | shaped_lines(draw(st.sampled_from(shapes))) | st.just(f"level=warn {' '.join(pairs)}"))
    if record_format is RecordFormat.CRI:
        return f"{draw(REGULAR_STAMPS)} {stream} F {message}"
    line = {
        "log": message + draw(st.sampled_from(["\n", "\n", "\r\n"])),
        "stream": stream,
        "time": draw(REGULAR_STAMPS),
    }
    return json.dumps(line, ensure_ascii=draw(st.booleans()), separators=(",", ":"))


@st.composite
def inner_texts(draw: st.DrawFn) -> str:
    return draw(st.one_of(TEXTS, json_lines(), logfmt_lines()))


@st.composite
def json_lines(draw: st.DrawFn) -> str:
    """Return an object's text: keys may come twice, and escapes of half characters may stand in it."""
    pairs = draw(st.lists(st.tuples(_JSON_KEYS, _JSON_VALUES), max_size=6))
    text = "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False)}" for k, v in pairs) + "}"
    return text.replace("boom", "\\ud800") if draw(st.integers(0, 9)) == 0 else text


@st.composite
def shaped_lines(draw: st.DrawFn, keys: tuple[str, ...]) -> str:
    """Return an object's text that has *keys*, or most of them; values are mostly of one kind a key."""
    usual = draw(st.integers(0, 9)) > 0
    values = {key: draw(_JSON_KINDS.get(key, TEXTS) if usual else _JSON_VALUES) for key in keys}
    left_out = draw(st.sampled_from([*keys, None, None, None]))
    return json.dumps(
        {key: value for key, value in values.items() if key != left_out}, ensure_ascii=draw(st.booleans())
    )


@st.composite
def logfmt_lines(draw: st.DrawFn) -> str:
    keys = st.sampled_from(["level", "time", "ts", "msg", "status", "a", "lvl", "severity", "host.name", "é"])
    pairs = draw(st.lists(st.tuples(keys, st.one_of(STAMPS, LEVELS, STATUSES, TEXTS)), max_size=5))
    quoted = draw(st.booleans())
    return " ".join(f"{key}={json.dumps(value, ensure_ascii=False) if quoted else value}" for key, value in pairs)
