"""Text as it should not be: whatever stands in a file, every line of it arrives, and as it was written.

One agent reads all of it at once, live, each file by the rule that its source names. The very long line is of 50 MB
here, to keep this quick; tests/core/test_framing.py reads one of a gigabyte.
"""

from __future__ import annotations

import asyncio
import codecs
from pathlib import Path
from typing import NamedTuple, cast

from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

LONG_BYTES = 50_000_000
JSON_VALUE_CHARACTERS = 10_000_000
TRACE_LINES = 10_000
PEAK_MB = 260


class Text(NamedTuple):
    """What is written into a file of that name, and the contents that must arrive."""

    name: str
    data: bytes
    expected: list[str]
    fault: str


def of_lines(name: str, fault: str, lines: list[str], newline: str = "\n", encoding: str = "utf-8") -> Text:
    return Text(name, (newline.join(lines) + newline).encode(encoding), lines, fault)


def utf_16(name: str, mark: bytes, encoding: str) -> Text:
    lines = [f"{name} {number} žluťoučký 日本" for number in range(50)]
    data = mark + ("\r\n".join(lines) + "\r\n").encode(encoding)
    return Text(name, data, lines, f"{encoding.upper()} with a mark and CRLF, written with an odd byte at the end")


JSON_LINES = [
    '{"message":"first","message":"second"}',
    '{"message":"no number","value":NaN}',
    '{"message":"endless","value":1e999}',
    '{"message":"large","number":123456789012345678901234567890}',
    '{"message":"cut off","value":',
    '{"message":"deep","value":' + "[" * 200 + "]" * 200 + "}",
]
ANSI = [f"\x1b[3{number % 8}mcolour {number}\x1b[0m" for number in range(50)]
CJK = [f"行 {number} 漢字かな交じり文 한국어 🙂" for number in range(50)]
TEXTS = [
    of_lines("empty-lines.log", "empty lines", [f"empty-lines {n}" for n in range(50)], newline="\n\n \n"),
    of_lines("crlf.log", "CRLF", [f"crlf {n}" for n in range(50)], newline="\r\n"),
    Text("mixed.log", b"mixed 1\r\nmixed 2\nmixed 3\r\n", ["mixed 1", "mixed 2", "mixed 3"], "CRLF and LF mixed"),
    Text("cr.log", b"cr 1\rcr 2\rcr 3\n", ["cr 1\rcr 2\rcr 3"], "CR alone ends no line"),
    of_lines("nul.log", "NULs within lines, binary: always", [f"nul \0 {n} \0\0" for n in range(50)]),
    Text("hole.log", bytes(5000) + b"hole 1\nhole 2\n", ["hole 1", "hole 2"], "a hole of NULs before a line"),
    Text(
        "invalid.log", b"invalid \xff\xfe\ninvalid \xc0\xaf overlong\ninvalid \xed\xa0\x80 surrogate\n",
        ["invalid \\xff\\xfe", "invalid \\xc0\\xaf overlong", "invalid \\xed\\xa0\\x80 surrogate"],
        "invalid, overlong and surrogate UTF-8",
    ),
    Text("bom.log", codecs.BOM_UTF8 + b"bom 1\n\xef\xbb\xbfbom 2\n", ["bom 1", "\ufeffbom 2"], "BOM, twice"),
    of_lines("latin.log", "Latin-1", [f"latin é ñ ü {n}" for n in range(50)], encoding="latin-1"),
    utf_16("utf-16-le.log", codecs.BOM_UTF16_LE, "utf-16-le"),
    utf_16("utf-16-be.log", codecs.BOM_UTF16_BE, "utf-16-be"),
    of_lines("ansi.log", "ANSI codes", ANSI),
    of_lines("cjk.log", "CJK and beyond", CJK),
    of_lines("doubtful.json", "JSON: key twice, NaN, infinite, large, cut off, deep", JSON_LINES),
]  # fmt: skip
SOURCES: list[dict[str, object]] = [
    {"name": "json", "paths": ["*.json"], "format": "json"},
    {"name": "nul", "paths": ["nul.log"], "format": "raw", "binary": "always"},
    {"name": "latin", "paths": ["latin.log"], "format": "raw", "encoding": "latin-1"},
    {"name": "trace", "paths": ["trace.txt"], "format": "raw", "multiline": {"start": "^[A-Z]", "timeout": "500ms"}},
    {"name": "cri", "paths": ["cri.txt"], "format": "cri"},
]


def started(folder: Path) -> Scene:
    scene = Scene(folder, concurrency=1)  # requests that overlap may arrive in another order
    scene.more_sources = [
        {**source, "paths": [f"{scene.logs}/{path}" for path in cast("list[str]", source["paths"])]}
        for source in SOURCES
    ]
    return scene


def test_whatever_stands_in_a_file_arrives_as_it_was_written(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        (scene.logs / "wtmp.log").write_bytes(b"\x7fELF\2\1\1" + bytes(range(256)) * 40)
        await scene.start()
        for text in TEXTS:
            half = len(text.data) // 2 | 1  # never at a border of two bytes
            with (scene.logs / text.name).open("wb", buffering=0) as file:
                file.write(text.data[:half])
                await asyncio.sleep(0)
                file.write(text.data[half:])
        with (scene.logs / "bytes.log").open("wb", buffering=0) as file:
            for byte in b"a byte at a time\n\xe2\x82\xac and one character of three\n":
                file.write(bytes([byte]))
                await asyncio.sleep(0.002)
        (scene.logs / "unended.log").write_text("unended 1\nunended 2 has no end", encoding="utf-8")
        one_byte = Text("bytes.log", b"", ["a byte at a time", "€ and one character of three"], "one byte at a time")
        unended = Text("unended.log", b"", ["unended 1", "unended 2 has no end"], "no final newline")
        await scene.until(lambda: "wtmp.log" in scene.said())
        for text in [*TEXTS, one_byte, unended]:
            await scene.arrived(*text.expected)
            arrived = contents_of(scene, text.name)
            assert arrived == text.expected
            assert outcome(f"content: {text.fault}", text.expected, arrived).kept

        assert contents_of(scene, "wtmp.log") == []
        assert await scene.stop() == 0

    play(started(tmp_path), story)


def contents_of(scene: Scene, name: str) -> list[str]:
    return [str(event["content"]) for event in scene.receiver.acked if event["log.file.name"] == name]


def test_what_is_very_long_arrives_in_parts_from_which_it_can_be_put_together(tmp_path: Path) -> None:
    """A line of 50 MB, a value of 10 MB in JSON, a stack trace of 10,000 lines, a container's line in pieces."""

    async def story(scene: Scene) -> None:
        line = "".join(f"{number:09d}," for number in range(LONG_BYTES // 10))
        value = '{"message":"m","value":"' + "v" * JSON_VALUE_CHARACTERS + '"}'
        trace = ["ERROR something broke", *(f"  at frame {number} of a deep stack" for number in range(TRACE_LINES))]
        process = await scene.start()
        (scene.logs / "long.log").write_text(line + "\nlong: the next\n", encoding="ascii")
        (scene.logs / "value.json").write_text(value + '\n{"message":"value: the next"}\n', encoding="ascii")
        (scene.logs / "trace.txt").write_text("\n".join([*trace, "INFO the next", ""]), encoding="ascii")
        (scene.logs / "cri.txt").write_text(interleaved(), encoding="ascii")
        for last in ("long: the next", '{"message":"value: the next"}', "INFO the next", "cri: the last"):
            await scene.arrived(last)

        expect(scene, "content: a line of 50 MB", "long.log", "", [line, "long: the next"])
        expect(scene, "content: a JSON value of 10 MB", "value.json", "", [value, '{"message":"value: the next"}'])
        expect(scene, "content: a stack trace of 10,000 lines", "trace.txt", "\n", [*trace, "INFO the next"])
        expect(scene, "content: container lines, P and F interleaved", "cri.txt", "\n", CRI_MESSAGES)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        assert int(status.partition("VmHWM:")[2].split()[0]) / 1024 < PEAK_MB
        assert await scene.stop() == 0

    play(started(tmp_path), story)


CRI_MESSAGES = [
    *(text for n in range(50) for text in (f"out {n} begun and ended", f"err {n} begun, ended")),
    "cri: the last",
]


def interleaved() -> str:
    stamp = "2026-11-26T00:00:00.000000000Z"
    lines = [
        text
        for n in range(50)
        for text in (
            f"{stamp} stdout P out {n} begun", f"{stamp} stderr P err {n} begun,",
            f"{stamp} stdout F  and ended", f"{stamp} stderr F  ended",
        )
    ]  # fmt: skip
    return "\n".join([*lines, f"{stamp} stdout F cri: the last", ""])


def expect(scene: Scene, fault: str, name: str, between: str, written: list[str]) -> None:
    """Put together all that arrived of a file, with *between* between two events, and hold it against *written*."""
    parts = contents_of(scene, name)
    whole, at, arrived = between.join(parts), 0, []
    for text in written:
        arrived.append(whole[at : at + len(text)])
        at += len(text) + len(between)

    assert whole == between.join(written)
    assert outcome(f"{fault}, in {len(parts)} events", written, arrived).kept
