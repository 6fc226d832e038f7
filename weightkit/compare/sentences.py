"""Say in words what happened to a weight, from its measures and a confirmed hypothesis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.compare.hypotheses import Hypothesis
    from weightkit.compare.measures import Measures

_MANY = 64
"""Below this many elements, an angle has no meaning."""
_UNRELATED = 0.05
"""Absolute cosine below which two large weights are unrelated."""
_DEVIATIONS = 3
"""The cosine of unrelated weights of ``n`` elements is about normal, with a deviation of ``1 / sqrt(n)``."""
_ABOUT = 1e-3
"""The largest remainder, relative to its norm, of a weight that was scaled by about a factor."""


def what_happened(measures: Measures, hypothesis: Hypothesis | None) -> str:
    """The words after "3 weights": ``scaled by 0.5``, ``with 4 values zeroed``; empty if nothing happened."""
    if not measures.changed:
        return ""
    if measures.lost:
        return f"with {_values(measures.lost)} now NaN or infinite"
    if measures.zeroed == measures.changed:
        return "zeroed" if measures.zeros == measures.size else f"with {_values(measures.zeroed)} zeroed"
    if hypothesis is not None:
        return hypothesis.text
    # Where most elements are equal, an angle says nothing of what changed.
    if 2 * measures.changed < measures.size or measures.size == 1:
        return f"with {_values(measures.changed)} changed"
    return _from_angle(measures)


def tally(total: int, what: Iterable[str]) -> str:
    """``27 of 206 weights changed: 13 scaled by 0.5, 13 perturbed, 1 with 4 values zeroed``."""
    counts: dict[str, int] = {}
    for text in what:
        counts[text] = counts.get(text, 0) + 1
    changed = sum(counts.values())
    if not changed:
        return f"{total} weights are equal" if total != 1 else "1 weight is equal"
    parts = (f"{count} {text}" for text, count in sorted(counts.items(), key=lambda item: -item[1]))
    return f"{changed} of {total} weights changed: {', '.join(parts)}"


def _from_angle(measures: Measures) -> str:
    cosine = measures.cosine
    if cosine is None:
        was_zero = not measures.ours and measures.finite == measures.size
        return "set from zero" if was_zero else f"with {_values(measures.changed)} changed"
    factor = measures.product / measures.ours / measures.ours
    left = math.sqrt(max(0.0, 1 - cosine * cosine))
    # A factor closer to 1 than ten times the remainder may be chance.
    if left < _ABOUT and abs(factor - 1) > 10 * left:
        return f"scaled by about {factor:.4g}"
    if measures.size >= _MANY and abs(cosine) <= max(_UNRELATED, _DEVIATIONS / math.sqrt(measures.size)):
        return "re-initialized or unrelated"
    return "perturbed"


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
