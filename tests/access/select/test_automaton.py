from __future__ import annotations

from weightkit.access.select.automaton import Automaton, Leading
from weightkit.access.select.segment import segments
from weightkit.access.select.tokens import alternatives


def leading(pattern: str, address: str) -> list[Leading]:
    automaton = Automaton([segments(alternative) for alternative in alternatives(pattern)])
    return list(automaton.leading(address.split("/")))


def test_every_leading_part_that_matches_is_told_shortest_first() -> None:
    assert leading("**/a*", "a1/b/a2") == [Leading(1, named=True), Leading(3, named=True)]


def test_two_stars_match_no_segment_too() -> None:
    assert leading("a/**/b", "a/b") == [Leading(2, named=True)]
    assert leading("**", "a") == [Leading(0, named=False), Leading(1, named=False)]


def test_alternatives_that_begin_alike_stay_apart() -> None:
    assert leading("{a/b,a/*/c,a/**}", "a/b/c") == [
        Leading(1, named=False),
        Leading(2, named=True),
        Leading(3, named=True),
    ]
    assert leading("{a/b/c,a}", "a/b") == [Leading(1, named=True)]


def test_a_row_of_double_stars_takes_no_exponential_time() -> None:
    assert leading("**/a/" * 100 + "b", "/".join("a" * 300)) == []
