"""Say in words what happened to a weight, from its measures and a confirmed hypothesis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.compare.hypotheses import Hypothesis
    from weightkit.compare.measures import Measures

_ENOUGH = 16
"""Below this many changed elements, nothing approximate is claimed: two numbers are nearly always near a factor."""
_MANY = 64
"""Below this many elements, an angle has no meaning."""
_UNRELATED = 0.05
"""Absolute cosine below which two large weights are unrelated."""
_DEVIATIONS = 3
"""The cosine of unrelated weights of ``n`` elements is about normal, with a deviation of ``1 / sqrt(n)``."""
_ABOUT = 1e-3
"""The largest remainder, relative to its norm, of a weight that was scaled by about a factor."""
_NEAR = (0.5, 0.9)
"""The largest relative L2 and the smallest cosine of a weight that is still itself, perturbed."""
_SAME_NORM = 1e-9
"""How far norms of the same numbers in another order may be apart: a weight that is too large to look for them."""
_CHANGED = "changed"
_QUANTIZED = frozenset({"int8", "uint8", "int4", "float8"})
_BEYOND_ROUNDING = (_CHANGED, "scaled", "sign flipped", "shifted", "re-initialized", "zeroed", "set from zero")
"""How the words begin that quantizing does not explain."""
_OTHERWISE = {_CHANGED: "otherwise"}
"""What a summary that begins with "3 of 4 weights changed" says of them."""


def what_happened(measures: Measures, hypothesis: Hypothesis | None) -> str:
    """The words after "3 weights": ``scaled by 0.5``, ``with 4 values zeroed``; empty if nothing happened."""
    if not measures.changed:
        return ""
    if told := _from_counts(measures):
        return told
    if hypothesis is not None:
        return hypothesis.text
    # Where most elements are equal, an angle says nothing of what changed.
    if 2 * measures.changed < measures.size or measures.size == 1:
        return f"with {_values(measures.changed)} changed"
    return _from_angle(measures)


def quantized(types: tuple[str, str], what: str) -> str:
    """``quantized from float32 to int8``, and what else happened to the values that is more than rounding.

    Args:
        types: What the two weights hold; real numbers are ``float32`` and the like.
        what: What happened, were they no integers.
    """
    act = "dequantized" if types[0] in _QUANTIZED else "quantized"
    told = f"{act} from {types[0]} to {types[1]}"
    return f"{told} and {what}" if what.startswith(_BEYOND_ROUNDING) else told


def tally(total: int, what: Iterable[str]) -> str:
    """``27 of 206 weights changed: 13 scaled by 0.5, 13 perturbed, 1 with 4 values zeroed``."""
    counts: dict[str, int] = {}
    for text in what:
        counts[text] = counts.get(text, 0) + 1
    changed = sum(counts.values())
    if not changed:
        return f"{total} weights are equal" if total != 1 else "1 weight is equal"
    head = f"{changed} of {total} weights changed"
    if set(counts) == {_CHANGED}:
        return head
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return f"{head}: {', '.join(f'{count} {_OTHERWISE.get(text, text)}' for text, count in ordered)}"


def _from_counts(measures: Measures) -> str:
    """The words for what counts alone tell; empty if they do not."""
    if measures.alike == measures.changed:
        return f"with {_values(measures.alike)} equal except in bits (the sign of zero, or which NaN)"
    if measures.lost:
        return f"with {_values(measures.lost)} now NaN or infinite"
    if measures.zeroed == measures.changed:
        return "zeroed" if measures.zeros == measures.size else f"with {_values(measures.zeroed)} zeroed"
    return ""


def _from_angle(measures: Measures) -> str:
    cosine, distance = measures.cosine, measures.relative_l2
    if cosine is None or distance is None:
        was_zero = not measures.ours and measures.finite == measures.size
        return "set from zero" if was_zero else f"with {_values(measures.changed)} changed"
    if factor := _factor(measures, cosine):
        return f"scaled by about {factor:.4g}"
    if measures.size >= _MANY and abs(cosine) <= max(_UNRELATED, _DEVIATIONS / math.sqrt(measures.size)):
        same_norm = abs(measures.ours - measures.theirs) <= _SAME_NORM * measures.ours
        return "re-initialized, rearranged or unrelated" if same_norm else "re-initialized or unrelated"
    farthest, least = _NEAR
    if distance <= farthest and cosine >= least:
        return "perturbed"
    return _CHANGED if measures.size >= _MANY else f"with {_values(measures.changed)} changed"


def _factor(measures: Measures, cosine: float) -> float | None:
    """About how many times the first the second is; None if it is no multiple of it."""
    left = math.sqrt(max(0.0, 1 - cosine * cosine))
    factor = measures.product / measures.ours / measures.ours
    # A factor closer to 1 than ten times the remainder may be chance.
    is_told = measures.changed >= _ENOUGH and left < _ABOUT and abs(factor - 1) > 10 * left
    return factor if is_told else None


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
