"""Keep a guess of a factor or a constant only where enough elements speak for it, in a weight or in several."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weightkit.access import is_floating
from weightkit.compare.hypotheses import Rounded, Scaled, holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access import WeightStore
    from weightkit.compare.hypotheses import Hypothesis
    from weightkit.compare.pair import Compared

_ENOUGH = 4
"""Elements that speak for a number that explains them to the last bit; in float32 each fits by chance in a million."""
_SMALL = 4096
"""The most elements of a weight that is read again."""


def weigh(compared: Sequence[Compared], ours: WeightStore, theirs: WeightStore) -> None:
    """Drop guesses that too few elements speak for, and tell small weights as scaled with the rest of their layer.

    The elements of all weights with the same guess count together: a model may have only small weights.
    """
    spoken: Counter[Hypothesis] = Counter()
    for pair in compared:
        if pair.hypothesis is not None:
            spoken[pair.hypothesis] += pair.measures.changed
    for pair in compared:
        if pair.hypothesis is not None and not _is_plain(pair.hypothesis) and spoken[pair.hypothesis] < _ENOUGH:
            pair.hypothesis = None
    factors = _factors(compared)
    for pair in compared:
        found = factors.get(pair.ours.layer)
        if found is not None and _is_open(pair) and holds(found, *pair.values(ours, theirs)):
            pair.hypothesis = found


def _factors(compared: Sequence[Compared]) -> dict[str | None, Scaled]:
    """The factor that speaks for the most elements of each layer."""
    most: dict[str | None, tuple[int, Scaled]] = {}
    for pair in compared:
        if isinstance(pair.hypothesis, Scaled) and pair.ours.layer is not None:
            found = (pair.measures.changed, pair.hypothesis)
            most[pair.ours.layer] = max(most.get(pair.ours.layer, found), found, key=lambda each: each[0])
    return {layer: factor for layer, (_, factor) in most.items()}


def _is_open(pair: Compared) -> bool:
    """Whether it is a small weight that changed, nobody knows how."""
    floating = is_floating(pair.ours.dtype) and is_floating(pair.theirs.dtype)
    return pair.hypothesis is None and pair.measures.changed > 0 and pair.ours.size <= _SMALL and floating


def _is_plain(guess: Hypothesis) -> bool:
    """Whether it has no number that was fitted: it is true of a single element too."""
    return isinstance(guess, Rounded) or (isinstance(guess, Scaled) and guess.factor == -1)
