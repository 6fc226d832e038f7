"""Where a sequence is in a longer one with items left out: the places, if there is only one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def only_subsequence(part: Sequence[T], whole: Sequence[T]) -> list[int] | None:
    """The places in a sequence of the items of another, in order; None if there is no way, or more than one.

    >>> only_subsequence("ac", "abc"), only_subsequence("ab", "aab"), only_subsequence("x", "ab")
    ([0, 2], None, None)
    """
    first, last = _leftmost(part, whole), _leftmost(part[::-1], whole[::-1])
    if first is None or last is None:
        return None
    # The leftmost way and the rightmost are the same where there is only one.
    return first if first == [len(whole) - 1 - place for place in reversed(last)] else None


def _leftmost(part: Sequence[T], whole: Sequence[T]) -> list[int] | None:
    places: list[int] = []
    for item in part:
        start = places[-1] + 1 if places else 0
        place = next((one for one in range(start, len(whole)) if whole[one] == item), None)
        if place is None:
            return None
        places.append(place)
    return places
