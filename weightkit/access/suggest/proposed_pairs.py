"""Which layer of a source each layer of a target is: by names that decide, then by order, then by what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from weightkit.access.suggest.order_scores import IMPOSSIBLE, Alignment, aligned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from weightkit.access.suggest.pair_evidence import Evidence

Pairs: TypeAlias = dict[int, int]
"""Places of layers of ours and theirs."""

_ALIKE, _LEAD = 0.75, 0.15
"""How alike two names are that decide by themselves, and by how much more than any others."""
_DECIDED = 10.0
"""More than what a few other pairs are worth: they rarely cross a pair whose names decide."""
_SOMEHOW = 0.3
"""How alike two names are at least of which the weights have other shapes, out of order."""
_CLASS, _FAR = 0.3, 0.5
"""What the class counts beside names from 0 to 1, and a place at the other end of the model."""
_NEAR, _GAIN, _ROUNDS = 8, 0.1, 3
"""So near are layers that exchange their partners; so much more alike are their names then, in so many rounds."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """The proposed pairs, and what their order says of them."""

    pairs: Pairs
    alignment: Alignment | None
    """By all evidence; None where a side does not know its order."""
    by_order: Alignment | None
    """By looks and classes alone."""


def proposed(evidence: Evidence, *, ordered: bool) -> Proposed:
    """Pair the layers of two models.

    Args:
        evidence: What speaks for each pair.
        ordered: Whether both sides come in the order of the model.
    """
    named = _by_name(evidence)
    scores = evidence.scores(with_names=True)
    alignment = by_order = None
    pairs = dict(named)
    if ordered:
        alignment = aligned(_around(named, scores, evidence))
        by_order = aligned(evidence.scores(with_names=False))
        pairs |= dict(alignment.pairs)
        _add_moved(pairs, np.where(evidence.exact, scores, IMPOSSIBLE))
    _add_best(pairs, evidence.exact, _left_scores(evidence, pairs, ordered=ordered))
    _add_best(pairs, evidence.resized & (evidence.names >= _SOMEHOW), evidence.names)
    _add_best(pairs, _last_ones(pairs, evidence.resized & evidence.same_class), evidence.names)
    _exchange(pairs, frozenset(named), evidence)
    return Proposed(pairs, alignment, by_order)


def _by_name(evidence: Evidence) -> Pairs:
    """Pairs of layers whose names are more alike than any others."""
    alike = (evidence.names >= _ALIKE) & (evidence.name_lead >= _LEAD)
    rows, columns = np.nonzero(evidence.exact & ~evidence.other_class & alike)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def _around(named: Pairs, scores: NDArray[np.float64], evidence: Evidence) -> NDArray[np.float64]:
    """The scores for an alignment through the named pairs that come in one order; the others are left out of it."""
    only_named = np.full(scores.shape, IMPOSSIBLE)
    for pair in named.items():
        only_named[pair] = evidence.names[pair]
    kept = dict(aligned(only_named).pairs)
    found = scores.copy()
    found[list(named), :] = IMPOSSIBLE
    found[:, list(named.values())] = IMPOSSIBLE
    for pair in kept.items():
        found[pair] = scores[pair] + _DECIDED
    return found


def _add_moved(pairs: Pairs, scores: NDArray[np.float64]) -> None:
    """Align what is left, again and again: a part of a model that stands elsewhere is in order too."""
    for _ in range(_ROUNDS):
        rows = [row for row in range(scores.shape[0]) if row not in pairs]
        taken = set(pairs.values())
        columns = [column for column in range(scores.shape[1]) if column not in taken]
        if not rows or not columns:
            return
        found = aligned(scores[np.ix_(rows, columns)]).pairs
        pairs |= {rows[row]: columns[column] for row, column in found}


def _left_scores(evidence: Evidence, pairs: Pairs, *, ordered: bool) -> NDArray[np.float64]:
    """Scores of what the order did not pair: names first, then how near it is to where it would be."""
    kinds = _CLASS * evidence.same_class - _CLASS * evidence.other_class
    scores: NDArray[np.float64] = evidence.names + kinds
    if not ordered or not pairs:
        return scores
    rows, columns = (np.arange(count) for count in scores.shape)
    known = np.array(sorted(pairs.items()))
    expected = np.interp(rows, known[:, 0], known[:, 1])
    found: NDArray[np.float64] = scores - _FAR * np.abs(expected[:, None] - columns[None, :]) / len(columns)
    return found


def _add_best(pairs: Pairs, possible: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    """Add unpaired layers, those with the highest scores first."""
    rows, columns = np.nonzero(_free(pairs, possible))
    used = set[int]()
    for place in np.argsort(-scores[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in pairs and column not in used:
            pairs[row] = column
            used.add(column)


def _last_ones(pairs: Pairs, possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is possible of the unpaired layers where neither could have another partner."""
    free = _free(pairs, possible)
    found: NDArray[np.bool_] = free & (free.sum(1)[:, None] == 1) & (free.sum(0)[None, :] == 1)
    return found


def _free(pairs: Pairs, possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = possible.copy()
    found[list(pairs), :] = False
    found[:, list(pairs.values())] = False
    return found


def _exchange(pairs: Pairs, fixed: frozenset[int], evidence: Evidence) -> None:
    """Give two layers near each other each other's partner where their names are more alike then."""
    for _ in range(_ROUNDS):
        if not sum(_exchanged(pairs, place, fixed, evidence) for place in sorted(pairs.keys() - fixed)):
            return


def _exchanged(pairs: Pairs, row: int, fixed: frozenset[int], evidence: Evidence) -> bool:
    names, exact = evidence.names, evidence.exact
    near = (other for other in range(row + 1, row + _NEAR + 1) if other in pairs and other not in fixed)
    for other in near:
        first, second = (row, pairs[row]), (other, pairs[other])
        crossed = (row, pairs[other]), (other, pairs[row])
        gain = names[crossed[0]] + names[crossed[1]] - names[first] - names[second]
        if gain >= _GAIN and exact[crossed[0]] and exact[crossed[1]]:
            pairs[row], pairs[other] = pairs[other], pairs[row]
            return True
    return False
