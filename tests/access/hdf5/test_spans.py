"""No two spans of a file share a byte."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from weightkit.access.hdf5.spans import Spans
from weightkit.errors import DamagedFileError

LENGTH = 40


def refusal(*owners: list[tuple[int, int]]) -> str | None:
    """What is said of the spans of owners called a, b, and so on; None if they lie apart."""
    spans = Spans(LENGTH)
    try:
        for name, held in zip("abcdefgh", owners, strict=False):
            spans.add(name, held)
        spans.require_apart()
    except DamagedFileError as error:
        return error.problem
    return None


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([[(0, 10)], [(9, 1)]], "b and a overlap in the file"),
        ([[(0, 10)], [(0, 10)]], "b and a overlap in the file"),
        ([[(0, 30)], [(5, 1)], [(29, 2)]], "b and a overlap in the file"),
        ([[(0, 30)], [(29, 2)]], "b and a overlap in the file"),
        ([[(0, 4), (3, 4)], [(20, 1)]], "a: two chunks overlap in the file"),
        ([[(39, 2)]], "a: a part of it is outside the file"),
        ([[(-1, 1)]], "a: a part of it is outside the file"),
        ([[(1 << 70, 0)]], "a: a part of it is outside the file"),
        ([[(5, -1)]], "a: a part of it is outside the file"),
    ],
)
def test_spans_that_share_a_byte_or_leave_the_file_are_named(owners: list[list[tuple[int, int]]], said: str) -> None:
    assert refusal(*owners) == said


@pytest.mark.parametrize("owners", [[], [[]], [[(0, 40)]], [[(0, 10), (20, 20)], [(10, 10)]], [[(0, 9)], [(5, 0)]]])
def test_spans_that_lie_apart_are_taken(owners: list[list[tuple[int, int]]]) -> None:
    assert refusal(*owners) is None


@example([(1, 0)], 0, 2)
@example([(0, 5), (3, 0)], 2, 2)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=5), st.integers(0, 30), st.integers(0, 10))
def test_a_span_shares_a_byte_with_those_that_are_kept_or_is_free(
    kept: list[tuple[int, int]], start: int, size: int
) -> None:
    assume(refusal(kept) is None)
    spans = Spans(LENGTH)
    spans.add("kept", kept)
    shared = set(range(start, start + size)) & {byte for first, count in kept for byte in range(first, first + count)}
    with pytest.raises(DamagedFileError, match="overlap in the file") if shared else contextlib.nullcontext():
        spans.require_free("other", [(start, size)])


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=3), max_size=4))
def test_spans_are_refused_where_a_byte_is_held_twice_and_nowhere_else(owners: list[list[tuple[int, int]]]) -> None:
    held = [set(range(start, start + size)) for start, size in itertools.chain(*owners)]
    assert (refusal(*owners) is None) == (sum(map(len, held)) == len(set().union(*held)))
