"""Parts of a path in a source's attributes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config.source_model import Source
from shipper.config.templates import fill_path_attributes, wildcards
from shipper.core.patterns import compile_patterns


def filled(pattern: str, path: str, text: str) -> str | None:
    source = Source(name="a", paths=(pattern,), attributes={"x": text})
    return fill_path_attributes(source, path, pattern).get("x")


@pytest.mark.parametrize(
    ("pattern", "path", "text", "value"),
    [
        ("/var/log/*/app.log", "/var/log/shop/app.log", "${1}", "shop"),
        ("/var/log/*/*.log", "/var/log/shop/web.log", "${2} of ${1}", "web of shop"),
        ("/var/log/**/*.log", "/var/log/a/b/c.log", "${1}", "a/b"),
        ("/var/log/**/*.log", "/var/log/c.log", "${1}", None),
        ("/var/log/**/*.log", "/var/log/c.log", "${2}", "c"),
        ("/srv/{blue,green}/x.log", "/srv/green/x.log", "${1}", "green"),
        ("/srv/{a*,b}/x.log", "/srv/abc/x.log", "${1}", "abc"),
        ("/srv/app[0-9].log", "/srv/app7.log", "${1}", "7"),
        ("/srv/app[!0-9].log", "/srv/appX.log", "${1}", "X"),
        ("/srv/app?.log", "/srv/app7.log", "${1}", "7"),
        ("/srv/*.log", "/srv/a.log", "${0}", "/srv/a.log"),
        ("/srv/*.log", "/srv/a.log", "$$${1}", "$a"),
        ("/srv/*.log", "/srv/a\nb.log", "${1}", "a\nb"),
    ],
)
def test_a_part_of_the_path_is_put_in(pattern: str, path: str, text: str, value: str | None) -> None:
    assert filled(pattern, path, text) == value


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("/a.log", 0), ("/*/?.log", 2), ("/**/x", 1), ("/**", 1), ("/{a,b}/[xy]", 2), ("/{a*,b?}", 1)],
)
def test_wildcards_are_counted_as_they_are_numbered(pattern: str, count: int) -> None:
    assert wildcards(pattern) == count


_NAMES = st.text("ab.-", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})


@given(
    parts=st.lists(st.one_of(_NAMES, st.sampled_from(["*", "**", "?", "[ab]", "{a,b}", "a*"])), min_size=1, max_size=4),
    names=st.lists(_NAMES, min_size=1, max_size=4),
)
def test_what_discovery_matches_can_be_taken_apart(parts: list[str], names: list[str]) -> None:
    """The two readings of a pattern agree on which paths there are."""
    pattern, path = "/" + "/".join(parts), "/" + "/".join(names)
    matches = any(one.regex.fullmatch(path) for one in compile_patterns(pattern))
    count = wildcards(pattern)

    value = filled(pattern, path, "whole" + "".join(f"[${{{n}}}]" for n in range(1, count + 1)) + "${0}")

    assert value is not None
    # A path that does not match leaves every part empty.
    assert (value.replace("[]", "") == f"whole{path}") or matches
