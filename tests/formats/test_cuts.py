"""However a file is cut on its way in, each preset finds the same records in it."""

from __future__ import annotations

import pytest

from shipper.core.framing import Framer
from shipper.core.model import Carry, FileFacts, FileKey
from shipper.core.reference import ReferenceReader
from tests.formats.reading import NOW_MS, presets, rule_of
from tests.formats.samples import names, samples_of

FACTS = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", NOW_MS)


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 4096])
@pytest.mark.parametrize("name", [name for name in names() if presets()[name].multiline is not None])
def test_any_cut_of_a_file_gives_its_records(name: str, piece_bytes: int) -> None:
    samples = samples_of(name) * 2
    data = "".join(sample.text + "\n" for sample in samples).encode()
    rule = rule_of(presets()[name])
    framer, reader = Framer(rule, 0, Carry(), chunk_bytes=120), ReferenceReader(rule)

    chunks = [c for at in range(0, len(data), piece_bytes) for c in framer.feed(data[at : at + piece_bytes])]
    chunks += framer.close()
    produced = [produced for chunk in chunks for produced in reader.read(chunk, FACTS, Carry(), NOW_MS).produced]

    assert len(chunks) > 1
    assert [produced.event["content"] for produced in produced] == [sample.text for sample in samples]
