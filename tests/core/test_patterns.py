"""Path patterns: what they match, where a walk begins, and what their wildcards stood for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.patterns import Excludes, compile_patterns, wildcards


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/var/log/*.log", ["/var/log/a.log", "/var/log/.log"], ["/var/log/x/a.log", "/var/log/a.log.1", "/tmp/a.log"]),
        (
            "/var/log/**/*.log",
            ["/var/log/a.log", "/var/log/x/y/a.log"],
            ["/var/a.log", "/var/log/a.txt", "/var/loga.log"],
        ),
        ("/var/log/**", ["/var/log/a", "/var/log/x/y"], ["/var/log", "/var/logs/a"]),
        ("/a/?.log", ["/a/b.log", "/a/é.log"], ["/a/.log", "/a/bb.log", "/a//.log"]),
        ("/a/[a-c].log", ["/a/b.log"], ["/a/d.log", "/a/-.log"]),
        ("/a/[!a-c].log", ["/a/d.log"], ["/a/b.log"]),
        ("/a/[]x].log", ["/a/].log", "/a/x.log"], ["/a/y.log"]),
        ("/a/{b,c{d,e}}.log", ["/a/b.log", "/a/cd.log", "/a/ce.log"], ["/a/c.log", "/a/d.log"]),
        ("/a/{b,}x", ["/a/bx", "/a/x"], ["/a/cx"]),
        ("/a.b/c+d(e)", ["/a.b/c+d(e)"], ["/axb/c+d(e)", "/a.b/ccd(e)"]),
        ("/srv/*/logs/*", ["/srv/x/logs/y"], ["/srv/x/y/logs/z", "/srv/logs/y"]),
        ("/a/x**y", ["/a/xy", "/a/xzzy"], ["/a/x/y"]),
        ("/a/*", ["/a/b\nc", "/a/\udcff"], ["/a/b/c"]),
    ],
)
def test_a_pattern_matches_whole_paths(pattern: str, matching: list[str], others: list[str]) -> None:
    regexes = [compiled.regex for compiled in compile_patterns(pattern)]

    assert [path for path in matching if not any(regex.fullmatch(path) for regex in regexes)] == []
    assert [path for path in others if any(regex.fullmatch(path) for regex in regexes)] == []


@pytest.mark.parametrize(
    ("pattern", "prefix", "depth"),
    [
        ("/var/log/a.log", "/var/log", 0), ("/var/log/*.log", "/var/log", 0), ("/var/*/x/a.log", "/var", 2),
        ("/var/log/**/a.log", "/var/log", None), ("/**", "/", None), ("/a.log", "/", 0), ("/var/l?g/a", "/var", 1),
    ],
)  # fmt: skip
def test_a_walk_begins_at_the_deepest_directory_without_wildcards(pattern: str, prefix: str, depth: int | None) -> None:
    [compiled] = compile_patterns(pattern)

    assert (compiled.text, compiled.prefix, compiled.depth) == (pattern, prefix, depth)


@pytest.mark.parametrize("pattern", ["var/log/*.log", "", "/a/{b,c", "/a/[b", "{/a,b}/c"])
def test_a_pattern_that_cannot_be_is_said(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"not absolute|not closed"):
        compile_patterns(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/srv/*/app-?.log", "/srv/shop/app-1.log", ["shop", "1"]),
        ("/srv/**/*.log", "/srv/a/b/c.log", ["a/b", "c"]),
        ("/srv/**/*.log", "/srv/c.log", ["", "c"]),
        ("/srv/{a,b*}.log", "/srv/bcd.log", ["cd"]),
        ("/srv/[ab].log", "/srv/b.log", ["b"]),
        ("/srv/*.log", "/srv/x.txt", None),
    ],
)
def test_wildcards_give_back_what_they_stood_for(pattern: str, path: str, expected: list[str] | None) -> None:
    assert wildcards(pattern, path) == expected


@pytest.mark.parametrize(
    ("excludes", "path", "expected"),
    [
        (["*.debug.log"], "/var/log/a.debug.log", True), (["*.debug.log"], "/var/log/a.log", False),
        (["*.{gz,xz}"], "/a/b.xz", True), (["/var/log/old/**"], "/var/log/old/x/a.log", True),
        (["old"], "/var/old/a", False),
        (["/var/log/*.log"], "/var/log/x/a.log", False), ([], "/a", False),
    ],
)  # fmt: skip
def test_excludes_are_for_names_or_with_a_slash_for_paths(excludes: list[str], path: str, expected: bool) -> None:
    assert Excludes(excludes).match(path) is expected


NAMES = st.text(st.sampled_from("ab.[]{}*?!-,é +("), min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)


@given(names=st.lists(NAMES, min_size=1, max_size=3))
def test_a_path_without_wildcards_matches_itself_alone(names: list[str]) -> None:
    plain = ["".join(character for character in name if character not in "[]{}*?") or "x" for name in names]
    path = "/" + "/".join(plain)
    [compiled] = compile_patterns(path)

    assert compiled.regex.fullmatch(path)
    assert not compiled.regex.fullmatch(path + "x")
    assert compiled.prefix == (path.rpartition("/")[0] or "/")
