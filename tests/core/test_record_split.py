"""The quick way to split a chunk into records gives those of the plain one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipper.core.records import RecordSplitter
from shipper.core.rule import MultilineRule, RecordFormat, Rule

TEXTS = st.text(alphabet="AB \n\t\x85x1é\xa0", max_size=60)
LIMITS = {"max_lines": st.integers(1, 4), "max_bytes": st.sampled_from([4, 20, 1_000_000])}
MULTILINES = st.one_of(
    st.none(),
    st.builds(MultilineRule, start=st.sampled_from(["A", r"\s", "[AB]", ""]), **LIMITS),
    st.builds(MultilineRule, start=st.just("[AB]"), heading=st.sampled_from(["A", r"\s", ""]), **LIMITS),
    st.builds(MultilineRule, continue_=st.sampled_from([" ", r"\s", "$"]), **LIMITS),
)


@given(text=TEXTS, multiline=MULTILINES)
def test_records_are_the_text_at_their_spans(text: str, multiline: MultilineRule | None) -> None:
    """For any limits, borders and blank lines."""
    splitter = RecordSplitter(Rule(source="s", layout="raw", format=RecordFormat.RAW, multiline=multiline))

    assert splitter.split(text) == [text[begin:end] for begin, end in splitter.spans(text)]
