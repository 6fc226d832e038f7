"""Align two sequences of layers so that the scores of the pairs add up to the most; see Needleman and Wunsch (1970).

Gaps cost nothing: a layer without a partner only lacks a score. Pairs that follow each other get a little more, so
that what was left out or added stays in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMPOSSIBLE = -1e9
"""The score of two layers that cannot be one."""
_ADJACENT = 0.1
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best alignment of two sequences, and what each pair would cost."""

    pairs: list[tuple[int, int]]
    """Indices of both, in their order."""
    totals: NDArray[np.float64]
    """The best total of all alignments with this pair: (ours, theirs)."""
    best: float

    def margin(self, ours: int, theirs: int) -> float:
        """By how much this pair is better than the best alignment that gives one of the two another partner."""
        row, column = self.totals[ours].copy(), self.totals[:, theirs].copy()
        row[theirs] = column[ours] = IMPOSSIBLE
        return float(self.totals[ours, theirs] - max(row.max(), column.max()))

    def agrees(self, ours: int, theirs: int, slack: float) -> bool:
        """Whether an alignment with this pair is as good as the best one, less the slack."""
        return bool(self.totals[ours, theirs] >= self.best - slack)


def aligned(scores: NDArray[np.float64]) -> Alignment:
    """The best alignment by the scores of the pairs: (ours, theirs)."""
    before, best = _prefixes(scores)
    after = _prefixes(scores[::-1, ::-1])[0][::-1, ::-1]
    return Alignment(_traced(scores, before, best), before + scores + after, float(best[-1, -1]))


def _prefixes(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The best total of all that comes before each pair, and of the first so many of each side."""
    rows, columns = scores.shape
    before = np.zeros((rows, columns))
    best = np.zeros((rows + 1, columns + 1))
    paired = np.full(columns, IMPOSSIBLE)
    for row in range(rows):
        before[row] = best[row, :-1]
        before[row, 1:] = np.maximum(before[row, 1:], paired[:-1] + _ADJACENT)
        paired = before[row] + scores[row]
        best[row + 1, 1:] = np.maximum.accumulate(np.maximum(best[row, 1:], paired))
    return before, best


def _traced(
    scores: NDArray[np.float64], before: NDArray[np.float64], best: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """The pairs of the best alignment; of equal ones, that whose ends agree."""
    pairs: list[tuple[int, int]] = []
    row, column = scores.shape
    while row and column:
        total = best[row, column]
        if before[row - 1, column - 1] + scores[row - 1, column - 1] >= total - _ROUNDING:
            row, column = _run(before, best, (row, column), pairs)
        elif best[row - 1, column] >= total - _ROUNDING:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def _run(
    before: NDArray[np.float64],
    best: NDArray[np.float64],
    end: tuple[int, int],
    pairs: list[tuple[int, int]],
) -> tuple[int, int]:
    """Add the pairs that follow each other up to this one; returns where the run begins."""
    row, column = end
    while True:
        row, column = row - 1, column - 1
        pairs.append((row, column))
        rest = before[row, column]
        if best[row, column] >= rest - _ROUNDING:  # nothing is gained by a pair right before it
            return row, column
