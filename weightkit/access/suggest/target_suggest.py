"""Propose a mapping between two targets of any kind: paths, models, open stores."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weightkit.access.matching.match import is_ordered
from weightkit.access.suggest.proposals import Certainty, Proposal, Suggestion
from weightkit.access.target_match import weights_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from weightkit.access.ref import WeightRef
    from weightkit.access.suggest.compared_layers import ComparedLayer
    from weightkit.access.targets import Target

_WORTH_COMPARING = 4_000_000
"""Most pairs of layers to compare with each other; beyond that, only equal names and unique looks count."""


def suggest(
    target: Target | Iterable[WeightRef], source: Target | Iterable[WeightRef], *, ordered: bool | None = None
) -> Suggestion:
    """Propose which layer of a source each layer of a target is, where `match` cannot settle it.

    Names, classes, the shapes of the weights and the order of the layers are weighed against each other; no values are
    read. "Sure" is a pair only if its name, its shapes and what is known of the order say the same. Layers of other
    weights are never paired; those of other shapes are "likely" at most.

    Args:
        target: A path; a model, a layer or a list of variables of Keras 3; an open store; or references.
        source: The same of another.
        ordered: Whether the target's come in the order of their layers; by default, the store decides. References
            without their store count as unordered.

    Returns:
        The mapping, whose ``rename`` is what ``load_weights`` takes.

    Raises:
        RequestError: There is no such file.
        RefusedError: A file is damaged, unsafe, or holds no Keras weights.

    Example:
        >>> from weightkit import suggest
        >>> print(suggest(model, "pretrained.h5"))  # doctest: +SKIP
    """
    with weights_of(target) as ours, weights_of(source) as theirs:
        from weightkit.access.suggest.compared_layers import compared_layers  # noqa: PLC0415  # files are opened first

        first, in_order = compared_layers(ours, ordered=is_ordered(ours) if ordered is None else ordered)
        second, in_order_too = compared_layers(theirs, ordered=is_ordered(theirs))
    if len(first) * len(second) > _WORTH_COMPARING:
        return _of_many(first, second)
    return _compared(first, second, ordered=in_order and in_order_too)


def _compared(ours: Sequence[ComparedLayer], theirs: Sequence[ComparedLayer], *, ordered: bool) -> Suggestion:
    """By all evidence for all pairs."""
    if not ours or not theirs:
        return _suggestion(ours, theirs, {})
    from weightkit.access.suggest.certainty import Judge  # noqa: PLC0415  # it needs NumPy
    from weightkit.access.suggest.pair_evidence import Evidence  # noqa: PLC0415
    from weightkit.access.suggest.proposed_pairs import proposed  # noqa: PLC0415

    evidence = Evidence(ours, theirs)
    found = proposed(evidence, ordered=ordered)
    judge = Judge(evidence, found)
    met = found.pairs.items()
    return _suggestion(ours, theirs, {row: (column, *judge.judged(row, column)) for row, column in met})


def _of_many(ours: Sequence[ComparedLayer], theirs: Sequence[ComparedLayer]) -> Suggestion:
    """By what only one layer of each side has: its name and looks, or its looks."""
    pairs: dict[int, tuple[int, Certainty, str]] = {}
    used = set[int]()
    for why, key_of in (("same name", _name_and_looks), ("only one of these shapes", _looks)):
        first, second = (_alone([key_of(one) for one in side]) for side in (ours, theirs))
        for key in first.keys() & second.keys():
            if first[key] not in pairs and second[key] not in used:
                pairs[first[key]] = (second[key], Certainty.LIKELY, why)
                used.add(second[key])
    return _suggestion(ours, theirs, pairs)


def _name_and_looks(layer: ComparedLayer) -> Hashable:
    return (layer.names, _looks(layer)) if layer.names else None


def _looks(layer: ComparedLayer) -> Hashable:
    return None if layer.weights is None else (layer.layer_class, layer.weights)


def _alone(keys: Sequence[Hashable]) -> dict[Hashable, int]:
    """What only one has, and its place."""
    counts = Counter(keys)
    return {key: place for place, key in enumerate(keys) if key is not None and counts[key] == 1}


def _suggestion(
    ours: Sequence[ComparedLayer], theirs: Sequence[ComparedLayer], pairs: dict[int, tuple[int, Certainty, str]]
) -> Suggestion:
    used = {column for column, _, _ in pairs.values()}
    looks = {one.shapes for one in theirs}
    proposals = []
    for place, layer in enumerate(ours):
        if place in pairs:
            column, certainty, why = pairs[place]
            proposals.append(Proposal(layer.address, theirs[column].address, certainty, why))
        else:
            why = "others fit better" if layer.shapes in looks else "no layer has weights of these shapes"
            proposals.append(Proposal(layer.address, None, Certainty.OPEN, why))
    unused = tuple(one.address for place, one in enumerate(theirs) if place not in used)
    return Suggestion(tuple(proposals), unused)
