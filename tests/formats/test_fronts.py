"""A preset's fronts only make it faster: where one matches, the patterns behind it take the same out of the record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.reading import presets
from tests.formats.samples import names, samples_of

WITH_FRONTS = sorted(name for name, preset in presets().items() if preset.fronts)
SAMPLES = {name: [sample.text for sample in samples_of(name)] for name in names()}
FILES = [
    path for folder in ("samples", "../shared/corpus") for path in (Path(__file__).parents[2] / folder).rglob("*.log")
]


def taken(patterns: Iterable[str], text: str) -> dict[str, str] | None:
    matches = (re.match(pattern, text) for pattern in patterns)
    match = next((match for match in matches if match is not None), None)
    return None if match is None else {name: value for name, value in match.groupdict().items() if value}


def check(name: str, text: str) -> bool:
    preset = presets()[name]
    by_front = taken(preset.fronts, text)
    if by_front is not None:
        behind = taken(preset.all_patterns[len(preset.fronts) :], text)
        assert behind is None or by_front == behind, text
    return by_front is not None


@pytest.mark.parametrize("name", WITH_FRONTS)
def test_a_front_takes_what_the_patterns_take_out_of_the_samples_and_of_real_lines(name: str) -> None:
    lines = [line for path in FILES for line in path.read_text("utf-8", "replace").split("\n")[:400]]

    assert [text for text in SAMPLES[name] if check(name, text)]
    for line in lines:
        check(name, line)


@given(st.data())
@pytest.mark.parametrize("name", WITH_FRONTS)
def test_a_front_takes_what_the_patterns_take_out_of_damaged_lines(name: str, data: st.DataObject) -> None:
    words = re.split(r"(\W)", data.draw(st.sampled_from(SAMPLES[name])).split("\n")[0])
    at = data.draw(st.integers(0, len(words) - 1))
    words[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.lists(st.sampled_from(["-", " ", ":", "[", "]", '"', "\\", "a", "7", ".", "(", "INFO", "é"]), max_size=2)
    )

    check(name, "".join(words))
