"""How alike the names of layers are: by their words, the rare ones most, and by the numbers in them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

Names: TypeAlias = "Sequence[tuple[str, ...]]"
"""The words and numbers in the name of each layer."""
_Words: TypeAlias = "list[frozenset[tuple[str, int]]]"

_UNSHARED = 0.5
"""How much a word counts that the other side never uses: it cannot tell layers apart there."""
_WORDS = 0.4
"""What equal words are worth where no number agrees; the rest is the numbers'."""
_UNKNOWN = 0.5
"""The share of numbers that agree, where one name has more of them than the other."""
_MOST_NUMBERS = 8
"""Numbers of a name that are looked at; the names of published models have up to four."""
_ROUNDING = 1e-9
_FEW = 2
"""So many numbers at a place have ranks to compare."""


def name_scores(ours: Names, theirs: Names) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How alike each two names are, and how much they contradict each other, both from 0 to 1: (ours, theirs).

    Names without a common word are not alike. Two contradict each other where each has words that the other lacks while
    both sides use them: ``encoder`` here, ``decoder`` there.
    """
    words, conflicts = _word_scores(_words(ours), _words(theirs))
    return words * (_WORDS + (1 - _WORDS) * _number_scores(ours, theirs)), conflicts


def _words(names: Names) -> _Words:
    """The words of each name; a word's second turn in a name counts as another one."""
    found: _Words = []
    for tokens in names:
        turns = Counter[str]()
        marked = set()
        for token in tokens:
            if not token.isdecimal():
                turns[token] += 1
                marked.add((token, turns[token]))
        found.append(frozenset(marked))
    return found


def _word_scores(ours: _Words, theirs: _Words) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dice's coefficient with a word's inverse document frequency as its weight, and the contradiction."""
    places = [_places(words) for words in (ours, theirs)]
    count = len(ours) + len(theirs)
    weights = {
        word: math.log((count + 1) / (len(places[0].get(word, ())) + len(places[1].get(word, ())))) + 1 / count
        for word in places[0].keys() | places[1].keys()
    }
    both = places[0].keys() & places[1].keys()
    shared = np.zeros((len(ours), len(theirs)))
    for word in sorted(both):
        shared[np.ix_(places[0][word], places[1][word])] += weights[word]
    known = [_totals(side, weights, both, 0.0) for side in (ours, theirs)]
    total = np.add.outer(*(_totals(side, weights, both, _UNSHARED) for side in (ours, theirs)))
    apart = np.minimum(known[0][:, None] - shared, known[1][None, :] - shared).clip(0)
    return _share(2 * shared, total), _share(apart, shared + apart)


def _totals(
    side: _Words, weights: Mapping[tuple[str, int], float], both: AbstractSet[tuple[str, int]], otherwise: float
) -> NDArray[np.float64]:
    """What the words of each name weigh; those that only one side uses count as given."""
    return np.array([sum(weights[word] * (1 if word in both else otherwise) for word in sorted(own)) for own in side])


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > _ROUNDING)
    return found


def _places(words: _Words) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, own in enumerate(words):
        for word in own:
            found[word].append(place)
    return found


def _number_scores(ours: Names, theirs: Names) -> NDArray[np.float64]:
    """Which share of the numbers agrees: (ours, theirs); 1 where there are none.

    Names with more numbers than the other say too little of which of them are the same.
    """
    codes: dict[int, int] = {}
    first, second = (_Numbers(names, codes) for names in (ours, theirs))
    agreeing = first.agreeing(second)
    as_many = first.counts[:, None] == second.counts[None, :]
    share = np.divide(agreeing, first.counts[:, None], out=np.ones_like(agreeing), where=first.counts[:, None] > 0)
    return np.where(as_many, share, _UNKNOWN)


class _Numbers:
    """The numbers in names: as they are, and by their rank among those at the same place of names alike but for them.

    One side may count from 0 and the other from 1, or from 2: where both have equally many, the ranks are compared.
    """

    def __init__(self, names: Names, codes: dict[int, int]) -> None:
        numbers = [[int(token) for token in tokens if token.isdecimal()][:_MOST_NUMBERS] for tokens in names]
        families: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, tokens in enumerate(names):
            families[template(tokens)].append(place)
        self.counts = np.array([len(own) for own in numbers])
        self._values, self._ranks, self._sizes = (np.full((len(names), _MOST_NUMBERS), -1) for _ in range(3))
        for members in families.values():
            for slot in range(len(numbers[members[0]])):
                found = sorted({numbers[member][slot] for member in members})
                ranks = {number: rank for rank, number in enumerate(found)}
                for member in members:
                    number = numbers[member][slot]
                    self._values[member, slot] = codes.setdefault(number, len(codes))
                    self._ranks[member, slot] = ranks[number]
                    self._sizes[member, slot] = len(found)

    def agreeing(self, other: _Numbers) -> NDArray[np.float64]:
        """How many numbers agree: (ours, theirs)."""
        found = np.zeros((len(self.counts), len(other.counts)))
        for slot in range(min(self.counts.max(), other.counts.max())):
            sizes, values, ranks = (
                (own[:, slot, None], its[None, :, slot])
                for own, its in (
                    (self._sizes, other._sizes), (self._values, other._values), (self._ranks, other._ranks),
                )
            )  # fmt: skip
            ranked = (sizes[0] == sizes[1]) & (sizes[0] >= _FEW)
            agree = np.where(ranked, ranks[0] == ranks[1], values[0] == values[1])
            found += agree & (sizes[0] > 0) & (sizes[1] > 0)
        return found


def template(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """A name with its numbers left out: what names of one family have in common.

    >>> template(("block", "2", "conv"))
    ('block', '#', 'conv')
    """
    return tuple("#" if token.isdecimal() else token for token in tokens)
