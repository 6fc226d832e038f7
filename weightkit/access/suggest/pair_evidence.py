"""What speaks for each two layers being one: the looks of their weights, their classes, their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from weightkit.access.suggest.compared_layers import tokens_of
from weightkit.access.suggest.name_scores import name_scores, template
from weightkit.access.suggest.order_scores import IMPOSSIBLE

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from weightkit.access.suggest.compared_layers import ComparedLayer

Tokens: TypeAlias = tuple[str, ...]
_EXACT, _RESIZED = 1.0, 0.25
_SAME_CLASS, _OTHER_CLASS = 0.25, -0.6
_CONFLICT = 1.5


class Evidence:
    """The evidence for all pairs of layers of two models, as arrays of (ours, theirs)."""

    def __init__(self, ours: Sequence[ComparedLayer], theirs: Sequence[ComparedLayer]) -> None:
        self.ours, self.theirs = ours, theirs
        self.same_class = _same([one.layer_class for one in ours], [one.layer_class for one in theirs])
        self.other_class = ~self.same_class & _known(
            [one.layer_class for one in ours], [one.layer_class for one in theirs]
        )
        named = _known([one.weights for one in ours], [one.weights for one in theirs])
        looks = _same([one.weights for one in ours], [one.weights for one in theirs])
        shapes = _same([one.shapes for one in ours], [one.shapes for one in theirs])
        self.exact = np.where(named, looks, shapes)
        """Whether they have the same weights of the same shapes."""
        ranks = _same([one.ranks for one in ours], [one.ranks for one in theirs])
        self.resized = ranks & ~self.exact & ~self.other_class
        """Whether they have the same weights of other shapes."""
        self.tokens = _tokens(ours, theirs), _tokens(theirs, ours)
        """The words and numbers in the names of both sides."""
        self.names, self.conflicts = name_scores(*self.tokens)
        """How alike their names are, and how much they contradict each other, from 0 to 1."""
        self.name_lead = _lead(np.where(self.exact | self.resized, self.names, 0.0))
        """By how much the name is more alike than that of any other candidate of one of the two."""
        self.name_lead_of_exact = _lead(np.where(self.exact, self.names, 0.0))
        """The same among the candidates of the same shapes."""
        alone = self.exact.sum(1)[:, None] == 1, self.exact.sum(0)[None, :] == 1
        self.only_ones = self.exact & alone[0] & alone[1]
        """Whether no other layers look like these two."""
        self.same_name = self._same_name()
        """Whether they have one name that no other layer has, and numbers in it mean the same on both sides."""

    def scores(self, *, with_names: bool) -> NDArray[np.float64]:
        """All evidence in one number for each pair."""
        looks = np.where(self.exact, _EXACT, _RESIZED)
        found = looks + _SAME_CLASS * self.same_class + _OTHER_CLASS * self.other_class
        if with_names:
            found = found + self.names - _CONFLICT * self.conflicts
        return np.where(self.exact | self.resized, found, IMPOSSIBLE)

    def _same_name(self) -> NDArray[np.bool_]:
        ours, theirs = self.tokens
        first, second = _cores(ours, theirs), _cores(theirs, ours)
        same = _same(_unique(first), _unique(second))
        # Where both sides do not count the same, layers of a family may have been counted again.
        found: NDArray[np.bool_] = same & (_same(_families(first), _families(second)) | self.only_ones)
        return found


def _tokens(layers: Sequence[ComparedLayer], others: Sequence[ComparedLayer]) -> list[Tokens]:
    """The words and numbers in each name, without the layers around most of them: ``backbone_2``."""
    around = _of_most([layer.names[:-1] for layer in layers], [layer.names for layer in others])
    return [tokens_of(name for name in layer.names if name not in around) for layer in layers]


def _cores(tokens: Sequence[Tokens], others: Sequence[Tokens]) -> list[Tokens | None]:
    """Names without the words that most layers have: ``features``. None for a name without a word."""
    around = {token for token in _of_most(tokens, others) if not token.isdecimal()}
    found = [tuple(token for token in own if token not in around) for own in tokens]
    return [core if any(not token.isdecimal() for token in core) else None for core in found]


def _of_most(parts: Sequence[Tokens], others: Sequence[Tokens]) -> set[str]:
    """What is in more than half of these names, and in none of the other side's."""
    counts = Counter(part for own in parts for part in set(own))
    there = {part for own in others for part in own}
    return {part for part, count in counts.items() if 2 * count > len(parts) and part not in there}


def _unique(cores: list[Tokens | None]) -> list[Tokens | None]:
    counts = Counter(cores)
    return [core if counts[core] == 1 else None for core in cores]


def _families(cores: list[Tokens | None]) -> list[frozenset[Tokens] | None]:
    """For each name, all names alike but for numbers and single letters, which count too: ``block2b``."""
    families = [None if core is None else _uncounted(core) for core in cores]
    members: dict[Tokens, set[Tokens]] = {}
    for family, core in zip(families, cores, strict=True):
        if family is not None and core is not None:
            members.setdefault(family, set()).add(core)
    frozen = {family: frozenset(names) for family, names in members.items()}
    return [None if family is None else frozen[family] for family in families]


def _uncounted(core: Tokens) -> Tokens:
    return tuple("#" if len(token) == 1 else token for token in template(core))


def _same(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> NDArray[np.bool_]:
    """Which are known and equal: (ours, theirs)."""
    codes: dict[Hashable, int] = {}
    first, second = (
        np.array([unknown if one is None else codes.setdefault(one, len(codes)) for one in side], dtype=np.int64)
        for side, unknown in ((ours, -1), (theirs, -2))
    )
    found: NDArray[np.bool_] = first[:, None] == second[None, :]
    return found


def _known(ours: Sequence[object], theirs: Sequence[object]) -> NDArray[np.bool_]:
    """Which are known on both sides: (ours, theirs)."""
    first, second = (np.array([one is not None for one in side], dtype=np.bool_) for side in (ours, theirs))
    found: NDArray[np.bool_] = first[:, None] & second[None, :]
    return found


def _lead(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value less the largest other one in its row or column."""
    return np.minimum(values - _others(values), values - _others(values.T).T)


def _others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest other value in the row of each."""
    padded = np.pad(values, ((0, 0), (0, 2)))
    largest = np.sort(np.partition(padded, -2, axis=1)[:, -2:], axis=1)
    first: Any = padded.argmax(1)
    found = np.repeat(largest[:, 1:], values.shape[1], axis=1)
    rows = np.flatnonzero(first < values.shape[1])
    found[rows, first[rows]] = largest[rows, 0]
    return found
