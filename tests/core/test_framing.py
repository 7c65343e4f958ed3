"""Chunks tile the file, and where it was cut for reading is never visible in the records."""

from __future__ import annotations

import codecs
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.framing import Framer
from shipper.core.model import Carry, Chunk, ChunkKind, FileFacts, FileKey, Produced
from shipper.core.reference import ReferenceReader
from shipper.core.rule import EventLimits, MultilineRule, RecordFormat, Rule
from tests.core.reading import chunks_of, pieces_of

NOW_MS = 1_795_464_000_000
FACTS = FileFacts(FileKey(1, 0), "/var/log/a.log", "a.log", NOW_MS)
RAW = Rule("shop", "raw", RecordFormat.RAW)
MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}

PATTERN = r"^(?P<timestamp>\d{4}-\S+) "
MULTILINES = st.one_of(
    st.none(),
    st.builds(
        MultilineRule,
        start=st.sampled_from(["a", r"\S"]),
        max_lines=st.sampled_from([2, 3, 1000]),
        max_bytes=st.sampled_from([20, 1 << 20]),
    ),
    st.builds(MultilineRule, start=st.just("a|x"), heading=st.just("b"), max_bytes=st.sampled_from([40, 1 << 20])),
    st.builds(MultilineRule, continue_=st.just(r"\s|b"), max_bytes=st.sampled_from([20, 1 << 20])),
)
CONTAINER_MULTILINES = st.one_of(
    st.none(),
    st.builds(
        MultilineRule,
        start=st.sampled_from([r"\d{4}-", "S"]),
        max_lines=st.sampled_from([2, 3, 1000]),
        max_bytes=st.sampled_from([20, 50, 1 << 20]),
    ),
    st.builds(MultilineRule, start_at_stamp=st.just(True), max_lines=st.sampled_from([3, 1000])),
    st.builds(MultilineRule, start=st.just("S|x"), heading=st.just("y|x|S"), max_bytes=st.sampled_from([40, 1 << 20])),
    st.builds(MultilineRule, continue_=st.just(r"\s"), max_bytes=st.sampled_from([20, 1 << 20])),
)
LINES = st.one_of(
    st.sampled_from(
        ["", " ", "S", "S one", "  at x", "2026-11-23T19:59:58Z a", "2026-11-23T19:59:5", "\r", "a\rb", "é", "日本語",
         "😀😀", "Ċ਀", "x" * 15, "y" * 16, "z" * 17, "w" * 40, "é" * 20, "S" + "日" * 30]
    ),
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=20),
)  # fmt: skip
CONTAINER_LINES = st.builds(
    "2026-11-23T19:59:58Z {} {} {}".format,
    st.sampled_from(["stdout", "stderr", "x"]),
    st.sampled_from(["P", "F", "F", "P:a", "F:a", "Q"]),
    st.sampled_from(["", "a", "b c", "  d", "x" * 30, "{}"]),
)
DOCKER_LINES = st.builds(
    lambda log, stream, spaced: json.dumps(
        {"log": log, "stream": stream, "time": "2026-11-23T19:59:58Z"},
        separators=(", ", ": ") if spaced else (",", ":"),
    ),
    st.sampled_from(["a\n", "a", "b\\n", 'c"\n', 'd\n"', "", "\n", "x" * 40, "e\\", "f\\\n"]),
    st.sampled_from(["stdout", "stderr"]),
    st.booleans(),
)
NEWLINES = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r\r\n", "\n\n"])
HOLES = st.sampled_from(["", "", "", "", "\0", "\0" * 5, "\0" * 70])


@st.composite
def files(draw: st.DrawFn, lines: st.SearchStrategy[str]) -> tuple[bytes, str]:
    """Return a file's bytes and the encoding that its rule names; a byte order mark may stand in for the latter."""
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-16-le", "utf-16-be", "iso8859-1", "shift_jis"]))
    named, data = encoding, b""
    if encoding in MARKS and draw(st.booleans()):
        named, data = "auto", MARKS[encoding]
    elif encoding == "utf-8":
        named = "auto"
    for line in draw(st.lists(lines, max_size=10)):
        data += (draw(HOLES) + line + draw(NEWLINES)).encode(encoding, "replace")
        if draw(st.integers(0, 20)) == 0:
            data += draw(st.sampled_from([b"\xff", b"\xc3", b"\xe6\x97", b"\x00\xd8", b"\x81\n"]))
    return data[: draw(st.integers(len(data) // 2, len(data)))] if draw(st.booleans()) else data, named


def read(rule: Rule, pieces: list[bytes], *, max_open_bytes: int, chunk_bytes: int) -> tuple[list[Produced], list[int]]:
    """Return the events of a file fed in *pieces*, and the counts of what was done to its bytes."""
    framer = Framer(rule, 0, Carry(), chunk_bytes=chunk_bytes, max_open_bytes=max_open_bytes)
    reader, carry = ReferenceReader(rule), Carry()
    produced: list[Produced] = []
    counts = [0, 0, 0, 0]
    for chunk in [
        chunk for piece in [*pieces, None] for chunk in (framer.close() if piece is None else framer.feed(piece))
    ]:
        reading = reader.read(chunk, FACTS, msgspec.structs.replace(carry, encoding=framer.encoding), NOW_MS)
        produced += reading.produced
        carry = reading.carry
        counts = [
            a + b
            for a, b in zip(counts, [reading.records, reading.parts, reading.bad_bytes, reading.nul_bytes], strict=True)
        ]
    counts[3] += framer.skipped_nul_bytes
    return produced, counts


@pytest.mark.parametrize(
    ("record_format", "lines", "multilines"),
    [
        pytest.param(RecordFormat.PATTERN, LINES, MULTILINES, id="lines"),
        pytest.param(RecordFormat.CRI, CONTAINER_LINES | LINES, CONTAINER_MULTILINES, id="cri"),
        pytest.param(RecordFormat.DOCKER, DOCKER_LINES | LINES, CONTAINER_MULTILINES, id="docker"),
    ],
)
@given(data=st.data())
def test_any_cut_gives_the_same_records(
    record_format: RecordFormat, lines: st.SearchStrategy[str], multilines: st.SearchStrategy[MultilineRule | None],
    data: st.DataObject,
) -> None:  # fmt: skip
    """Where the reader's pieces end is never visible: not in the events, their spans and parts, nor in any count."""
    content, encoding = data.draw(files(lines))
    patterns = (PATTERN,) if record_format is RecordFormat.PATTERN else ()
    rule = Rule(
        "shop", "x", record_format, patterns, multiline=data.draw(multilines), encoding=encoding,
        limits=EventLimits(content_bytes=data.draw(st.sampled_from([24, 65_536]))), record_id=True,
    )  # fmt: skip
    sizes = {
        "max_open_bytes": data.draw(st.sampled_from([16, 40, 1 << 20])),
        "chunk_bytes": data.draw(st.sampled_from([10, 64, 65_536])),
    }
    cuts = data.draw(st.lists(st.integers(0, max(len(content), 1)), max_size=6))

    assert read(rule, pieces_of(content, cuts), **sizes) == read(rule, [content], **sizes)
    assert read(rule, [content[at : at + 1] for at in range(len(content))], **sizes) == read(rule, [content], **sizes)


@given(file=files(LINES | CONTAINER_LINES), cuts=st.lists(st.integers(0, 400), max_size=6), multiline=MULTILINES)
def test_chunks_tile_the_file(file: tuple[bytes, str], cuts: list[int], multiline: MultilineRule | None) -> None:
    """No byte is lost or comes twice; only the mark and holes of NULs stand between chunks."""
    content, encoding = file
    rule = Rule("shop", "x", RecordFormat.PATTERN, (PATTERN,), multiline=multiline, encoding=encoding)
    chunks = list(chunks_of(rule, pieces_of(content, cuts), chunk_bytes=32, max_open_bytes=40))

    assert all(chunk.data == content[chunk.start : chunk.end] != b"" for chunk in chunks)
    ends = [0, *(chunk.end for chunk in chunks)]
    between = [content[end : chunk.start] for end, chunk in zip(ends, chunks, strict=False)]
    assert [gap.strip(b"\0") for gap in between if gap.strip(b"\0") not in MARKS.values()] == [b""] * len(
        [gap for gap in between if not gap.strip(b"\0")]
    )
    rest = content[ends[-1] :].strip(b"\0")
    assert len(rest) < 4 if chunks else rest in (b"", *MARKS.values()) or len(rest) < 4


def assert_bounded(framer: Framer, piece: bytes, times: int, bound: int) -> int:
    """Feed *piece* *times* times; return how many bytes left in chunks."""
    left = 0
    for _ in range(times):
        left += sum(len(chunk.data) for chunk in framer.feed(piece))
        assert framer.open_bytes <= bound
    return left


MIB = 1 << 20


def test_a_line_of_a_gigabyte_leaves_in_parts() -> None:
    framer = Framer(RAW, 0, Carry())

    left = assert_bounded(framer, b"x" * MIB, 1024, 2 * MIB)
    last = framer.feed(b"end\n")

    assert left + sum(len(chunk.data) for chunk in last) == 1024 * MIB + 4
    assert last[-1].kind is ChunkKind.LAST_PART


FROM_START = Rule("s", "x", RecordFormat.RAW, multiline=MultilineRule(start="S"))


@pytest.mark.parametrize(
    ("rule", "piece"),
    [
        pytest.param(RAW, b"\0" * MIB, id="hole"),
        pytest.param(FROM_START, b"\r\n" * 20_000, id="blank_lines"),
        pytest.param(FROM_START, b"\tat com.example.Service\n" * 10_000, id="trace"),
        pytest.param(Rule("s", "x", RecordFormat.CRI), b"2026-11-23T19:59:58Z stdout P xxxx\n" * 9_000, id="cri"),
        pytest.param(Rule("s", "x", RecordFormat.DOCKER), b'{"log":"xxxx","stream":"stdout"}\n' * 9_000, id="docker"),
        pytest.param(Rule("s", "x", RecordFormat.RAW, encoding="utf-16-le"), b"x\0" * (MIB // 2), id="utf_16"),
    ],
)
def test_memory_is_bounded_whatever_never_ends(rule: Rule, piece: bytes) -> None:
    assert_bounded(Framer(rule, 0, Carry()), piece, 12, 2 * MIB + 2 * len(piece))


@pytest.mark.parametrize(
    ("mark", "configured", "encoding", "start"),
    [
        (codecs.BOM_UTF8, "auto", "utf-8", 3),
        (codecs.BOM_UTF16_LE, "auto", "utf-16-le", 2),
        (codecs.BOM_UTF16_BE, "auto", "utf-16-be", 2),
        (codecs.BOM_UTF32_LE, "auto", "utf-32-le", 4),
        (codecs.BOM_UTF32_BE, "auto", "utf-32-be", 4),
        (b"", "auto", "utf-8", 0),
        (b"", "utf-16", "utf-16-le", 0),
        (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be", 2),
        (codecs.BOM_UTF8, "utf-8-sig", "utf-8", 3),
        (codecs.BOM_UTF8, "latin-1", "iso8859-1", 0),
        (b"", "shift_jis", "shift_jis", 0),
    ],
)
def test_the_mark_at_the_start_tells_the_encoding(mark: bytes, configured: str, encoding: str, start: int) -> None:
    """Unless the operator's word is another; the mark itself is no text."""
    data = mark + "line\n".encode(encoding)
    framer = Framer(Rule("s", "x", RecordFormat.RAW, encoding=configured), 0, Carry())
    chunks = [chunk for at in range(len(data)) for chunk in framer.feed(data[at : at + 1])]

    assert framer.encoding == encoding
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(start, len(data))]


def test_a_mark_is_looked_for_at_the_start_only() -> None:
    framer = Framer(RAW, 100, Carry(encoding="utf-8"))

    assert framer.feed(codecs.BOM_UTF8 + b"x\n") == [Chunk(100, 105, codecs.BOM_UTF8 + b"x\n")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "shift_jis", "euc_jp", "gb18030"])
def test_parts_end_at_characters(encoding: str) -> None:
    data = ("a" + "日本語" * 40 + "\n").encode(encoding)
    parts = list(chunks_of(Rule("s", "x", RecordFormat.RAW, encoding=encoding), [data], max_open_bytes=30))

    assert len(parts) > 3
    assert "".join(part.data.decode(encoding) for part in parts) == "a" + "日本語" * 40 + "\n"


def test_an_unterminated_last_line_goes_on_after_it_was_closed() -> None:
    framer = Framer(RAW, 0, Carry())

    assert framer.feed(b"one\ntw") == [Chunk(0, 4, b"one\n")]
    assert framer.close() == [Chunk(4, 6, b"tw")]
    assert framer.close() == []
    assert framer.feed(b"o") == []
    assert framer.feed(b"!\nthree\n") == [Chunk(6, 9, b"o!\n", ChunkKind.LAST_PART), Chunk(9, 15, b"three\n")]


def test_half_a_character_of_two_bytes_is_kept_for_its_other_half() -> None:
    framer = Framer(Rule("s", "x", RecordFormat.RAW, encoding="utf-16-le"), 0, Carry())

    framer.feed(b"a\0b")

    assert framer.close() == [Chunk(0, 2, b"a\0")]
    assert framer.feed(b"\0\n\0") == [Chunk(2, 6, b"b\0\n\0", ChunkKind.LAST_PART)]


def test_a_hole_is_stepped_over_and_ends_an_open_record() -> None:
    rule = Rule("s", "x", RecordFormat.RAW, multiline=MultilineRule(start="S"))
    framer = Framer(rule, 0, Carry())

    chunks = [*framer.feed(b"S one\n  two\n" + b"\0" * 9), *framer.feed(b"\0  three\nS four\n")]

    assert chunks == [Chunk(0, 12, b"S one\n  two\n"), Chunk(22, 30, b"  three\n")]
    assert framer.skipped_nul_bytes == 10


@pytest.mark.parametrize(
    ("rule", "data", "records"),
    [
        pytest.param(MultilineRule(start="S"), b"x\nS 1\n a\n\nS 2\n b\n", [b"x\n", b"S 1\n a\n\n"], id="start"),
        pytest.param(MultilineRule(continue_=r"\s"), b"1\n a\n2\n3\n", [b"1\n a\n2\n"], id="continue"),
        pytest.param(MultilineRule(start_at_stamp=True), b"2026-1 a\nb\n2026-2 c\n", [b"2026-1 a\nb\n"], id="stamp"),
        pytest.param(MultilineRule(start="S", max_lines=2), b"S\na\nb\nc\nd\n", [b"S\na\n", b"b\nc\n"], id="max_lines"),
        pytest.param(MultilineRule(start="S", max_bytes=8), b"S\naaa\nbbb\ncc", [b"S\naaa\n"], id="max_bytes"),
    ],
)
def test_the_last_record_is_held_until_it_is_known_to_end(
    rule: MultilineRule, data: bytes, records: list[bytes]
) -> None:
    source = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), multiline=rule)
    framed = b"".join(chunk.data for chunk in chunks_of(source, [data], close=False))

    assert framed == b"".join(records)
