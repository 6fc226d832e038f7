"""Pair the weights of two layers that are one: by name, however each version of Keras writes it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.names.automatic_names import numbered_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weightkit.access.ref import WeightRef

Weights: TypeAlias = "Mapping[str, WeightRef]"
"""The weights of one layer by name."""

_TODAY: Mapping[str, str] = MappingProxyType(
    {
        "W": "kernel",  # Keras 1
        "U": "recurrent_kernel",
        "b": "bias",
        "running_mean": "moving_mean",
        "running_std": "moving_variance",  # it holds a variance, whatever its name says
        "alphas": "alpha",
        "embeddings": "kernel",  # Keras 1 calls it W too, and no layer has both
        "depthwise_kernel": "kernel",  # of a DepthwiseConv2D; Keras 3 calls it kernel
    }
)
"""Names of weights to one for all that mean the same in a layer."""


def paired(ours: Weights, theirs: Weights) -> Iterator[tuple[WeightRef, WeightRef]]:
    """The pairs of weights of two layers: by name, by what a name means, and by order where it has no name."""
    first, second = (sorted(weights.values(), key=lambda ref: ref.index) for weights in (ours, theirs))
    if any(ref.name is None for ref in (*first, *second)) and _shapes(first) == _shapes(second):
        yield from zip(first, second, strict=True)  # as Keras itself loads them
        return
    numbered = _numbered(ours), _numbered(theirs)
    if _shapes(numbered[0].values()) == _shapes(numbered[1].values()):
        yield from zip(numbered[0].values(), numbered[1].values(), strict=True)
    else:
        numbered = {}, {}
    yield from _by_meaning(
        {name: ref for name, ref in ours.items() if name not in numbered[0]},
        {name: ref for name, ref in theirs.items() if name not in numbered[1]},
    )


def meaning(name: str) -> str:
    """The name that a weight has today: ``kernel`` for ``W``; ``variable`` for one that was given none."""
    return _TODAY.get(name, name) if numbered_variable(name) is None else "variable"


def _numbered(weights: Weights) -> dict[str, WeightRef]:
    """Those with an automatic name, in the order in which they were made."""
    found = [(number, name) for name in weights if (number := numbered_variable(name)) is not None]
    return {name: weights[name] for _, name in sorted(found)}


def _by_meaning(ours: Weights, theirs: Weights) -> Iterator[tuple[WeightRef, WeightRef]]:
    yield from ((ref, theirs[name]) for name, ref in ours.items() if name in theirs)
    first, second = _meanings(ours.keys() - theirs.keys()), _meanings(theirs.keys() - ours.keys())
    yield from ((ours[name], theirs[second[today]]) for today, name in first.items() if today in second)


def _meanings(names: Iterable[str]) -> dict[str, str]:
    """Names by what they mean; two that mean the same are left out."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(meaning(name), []).append(name)
    return {today: same[0] for today, same in found.items() if len(same) == 1}


def _shapes(refs: Iterable[WeightRef]) -> list[tuple[int, ...]]:
    return [ref.shape for ref in refs]
