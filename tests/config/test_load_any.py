"""Whatever stands in agent.yaml, it is loaded or refused in words: nothing else is ever raised."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config import load
from shipper.config.model import Document
from shipper.errors import ConfigError

_KEYS = st.one_of(
    st.sampled_from(
        [*Document.__struct_encode_fields__, "name", "paths", "url", "token", "timestamp", "severity", "map", "rules",
         "mask", "pattern", "formats", "multiline", "start", "tests", "line", "expect", "attributes", "exclude", "<<"]
    ),
    st.text(max_size=5),
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=12),
    st.sampled_from(["${A}", "${file:/nowhere}", "${1}", "(", "[z-a]", "/a[", "{", "5s", "64KiB", "9" * 400 + "d",
                     "auto", "http://[", "*", "~nobody/x", "/**/*", "\0", "*{", "cp037", "undefined", "(?<=a+)"]),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(document=st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_any_mapping_is_loaded_or_refused(
    document: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing but a ConfigError comes out, whatever stands in the file."""
    assert_loaded_or_refused(yaml.safe_dump(document, allow_unicode=True), tmp_path_factory)


@settings(max_examples=150, deadline=None)
@given(source=st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_any_source_is_loaded_or_refused(source: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = yaml.safe_dump({"sources": [{"name": "a", "paths": ["/a.log"], **source}]}, allow_unicode=True)
    assert_loaded_or_refused(text, tmp_path_factory)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,?<. \n\t$~\\/"), max_size=40))
def test_any_text_is_loaded_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert_loaded_or_refused(text, tmp_path_factory)


def assert_loaded_or_refused(text: str, folders: pytest.TempPathFactory) -> None:
    path = folders.getbasetemp() / "fuzzed.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    problems: list[str] = []
    sources = 0
    try:
        sources = len(load(path, {}).sources)
    except ConfigError as refused:
        problems = refused.problems

    assert bool(problems) != bool(sources)
    assert [problem for problem in problems if not problem.startswith(f"{path}:") or "\n" in problem] == []
