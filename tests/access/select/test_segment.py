from __future__ import annotations

import re

import pytest

from weightkit.access.select.segment import Segment, segments
from weightkit.access.select.tokens import alternatives


def segment(pattern: str) -> Segment:
    return Segment(alternatives(pattern)[0])


def fits(pattern: str, name: str) -> bool:
    return re.fullmatch(segment(pattern).regex, name, re.DOTALL) is not None


def test_a_path_is_parted_at_its_slashes() -> None:
    parts = segments(alternatives("a/*/**/k")[0])
    assert [part.literal for part in parts] == ["a", None, None, "k"]
    assert [part.spans_segments for part in parts] == [False, False, True, False]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "", True),
        ("?", "", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab", "abab", True),
        ("*ab*b", "ab", False),
        ("a**b", "axxb", True),
        ("*a?c*", "xxabcxx", True),
        ("[!a]", "b", True),
        ("[!a]", "a", False),
        ("[a-c]x", "bx", True),
        (r"[\]\-]", "-", True),
        ("[a-]", "-", True),
        ("[&&~~||[]", "[", True),
        ("a.c", "abc", False),
        ("?", "\n", True),
    ],
)
def test_a_pattern_fits_the_whole_of_a_name(pattern: str, name: str, expected: bool) -> None:
    assert fits(pattern, name) is expected


def test_many_stars_over_a_long_name_take_no_exponential_time() -> None:
    assert not fits("*a" * 200 + "*b", "a" * 5_000)


@pytest.mark.parametrize(("pattern", "expected"), [("*", False), ("?[0-9]*", False), ("*k", True)])
def test_only_text_spells_out_a_name(pattern: str, expected: bool) -> None:
    assert segment(pattern).has_text is expected
