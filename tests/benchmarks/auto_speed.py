"""What `format: auto` costs against a rule by hand: CPU of converting the same text, and of choosing.

python -m tests.benchmarks.auto_speed [LINES]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from shipper.core.converter import Converter
from shipper.core.framing import Framer
from shipper.core.model import Carry, FileFacts, FileKey
from shipper.core.rule import MultilineRule, RecordFormat, Rule, StampRule
from shipper.pipeline.reading import SAMPLE_BYTES, SourceReading
from tests.benchmarks.accuracy import NOW_MS, auto_rule
from tests.benchmarks.corpora import write

_ISO: Final = r"(?P<timestamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3}Z?) +(?P<severity>[A-Z]+) +"
_THREAD: Final = r"\[(?P<thread__name>[^\]]+)\] (?P<log__logger>[^ ]+) - "
_ACCESS: Final = (
    r'(?P<client__ip>[^ ]+) [^ ]+ (?P<user__name>[^ ]+) \[(?P<timestamp>[^\]]+)\] "(?P<http__method>[A-Z]+) '
    r'(?P<url__path>[^ ]+) [^"]+" (?P<http__status_code>\d+) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)
ROUNDS: Final = 5
READ_BYTES: Final = 262_144  # as the agent reads ahead


def by_hand(kind: str) -> Rule:
    """Return what an operator would write for *kind*."""
    rule = auto_rule(kind)
    if kind == "zap":
        return msgspec.structs.replace(rule, format=RecordFormat.JSON, candidates=(), layout="json")
    pattern = _ACCESS if kind == "access" else _ISO + _THREAD
    formats = ("%d/%b/%Y:%H:%M:%S",) if kind == "access" else ("rfc3339",)
    multiline = MultilineRule(start_at_stamp=True) if kind == "java" else None
    return msgspec.structs.replace(
        rule, format=RecordFormat.PATTERN, candidates=(), layout="hand", patterns=(pattern,),
        stamp=StampRule(None, formats, rule.stamp.zone), multiline=multiline,
    )  # fmt: skip


def seconds(converter: Converter, layout: str, data: bytes) -> float:
    """Return the least CPU of some rounds over *data*."""
    facts = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", NOW_MS)
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        carry = Carry(layout=layout)
        framer = Framer(converter.rule, 0, carry)
        for at in range(0, len(data) + READ_BYTES, READ_BYTES):
            for chunk in framer.feed(data[at : at + READ_BYTES]) if at < len(data) else framer.close():
                carry = msgspec.structs.replace(carry, encoding=framer.encoding)
                carry = converter.convert(chunk, facts, carry, NOW_MS).carry
        taken.append(time.process_time() - begin)
    return min(taken)


def main(arguments: list[str]) -> None:
    """Print a row a kind."""
    lines = int(arguments[0]) if arguments else 40_000
    print(f"{'kind':8} {'layout':24} {'choosing ms':>11} {'auto s':>7} {'hand s':>7} {'ratio':>6}")
    for kind in ("app", "access", "zap", "java"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.log"
            write(kind, lines, path)
            data = path.read_bytes()
        reading = SourceReading(auto_rule(kind))
        begin = time.process_time()
        layout = reading.layout_of(data[:SAMPLE_BYTES], "", NOW_MS)
        chosen_ms = (time.process_time() - begin) * 1000
        auto = seconds(reading.converter(layout), layout, data)
        hand = seconds(Converter(by_hand(kind)), "hand", data)
        print(f"{kind:8} {layout[:24]:24} {chosen_ms:11.1f} {auto:7.3f} {hand:7.3f} {auto / hand:6.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
