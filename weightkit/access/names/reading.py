"""Whether an object's stored arrays are the weights that a class saves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weightkit.access.names.class_table import Case, NamedWeight
from weightkit.access.names.class_weights import cases_of, quantization_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weightkit.access.names.naming import Stored
    from weightkit.access.names.object_tree import Node

Weights = tuple[NamedWeight, ...]


def weights_by_config(node: Node, class_name: str, config: Mapping[str, Any]) -> Weights | None:
    """The weights of a layer of known class and configuration, if the arrays fit them."""
    return only_fit(cases_of(class_name, config, quantization=quantization_mode(config)), node)


def weights_without(absent: frozenset[int], node: Node, class_name: str, config: Mapping[str, Any]) -> Weights | None:
    """The same if the layer does not save the weights at the ``absent`` positions of its order."""
    cases = cases_of(class_name, config, quantization=quantization_mode(config))
    left = [
        replace(case, weights=tuple(weight for place, weight in enumerate(case.weights) if place not in absent))
        for case in cases
    ]
    return only_fit(left, node)


def only_these(weights: Weights | None, node: Node) -> Weights | None:
    """Weights that are known beforehand, if the arrays fit them."""
    return weights if weights is not None and fits(weights, node) else None


def only_fit(cases: Iterable[Case], node: Node) -> Weights | None:
    """The weights of the cases that fit the arrays, if all that fit give the same names; else None."""
    readings = {names_and_kinds(w): w for w in (case.weights for case in cases) if fits(w, node)}
    return next(iter(readings.values())) if len(readings) == 1 else None


def names_and_kinds(weights: Weights) -> tuple[tuple[str, str], ...]:
    """The names and kinds of a reading; readings that differ only in sizes are equal."""
    return tuple((weight.name, weight.kind) for weight in weights)


def fits(weights: Weights, node: Node) -> bool:
    """Whether an object's arrays match a class's weights in number, ranks, types and sizes."""
    # Keras numbers weights without a gap: with one, a weight is missing. No class of its own saves both kinds of keys.
    if len(weights) != len(node.variables) or not node.whole or (weights and node.named):
        return False
    sizes: dict[str, Any] = {}
    return all(_fits(weight, stored, sizes) for weight, stored in zip(weights, node.variables, strict=True))


def _fits(weight: NamedWeight, stored: Stored, sizes: dict[str, Any]) -> bool:
    """Whether one array is this weight; the sizes of its letters are added to ``sizes``."""
    if weight.integer is not _holds_integers(stored.dtype):
        return False
    if weight.rank is None:
        return bool(sizes.setdefault(weight.dimensions[0], stored.shape) == stored.shape)
    return _same_sizes(weight.dimensions, stored.shape, sizes)


def _same_sizes(dimensions: Sequence[str], shape: Sequence[int], sizes: dict[str, Any]) -> bool:
    """Whether a shape matches dimensions such as ``("a", "2b", "1")``."""
    if len(dimensions) != len(shape):
        return False
    for dimension, size in zip(dimensions, shape, strict=True):
        letter = dimension.lstrip("0123456789")
        factor = int(dimension.removesuffix(letter) or 1)
        if letter and factor == 1:
            factor = sizes.setdefault(letter, size)
        elif letter:
            # 0 where the size is not known yet: nothing fits then.
            factor *= sizes.get(letter, 0)
        if size != factor:
            return False
    return True


def _holds_integers(dtype: str) -> bool | None:
    """True for integers, False for real numbers, None for anything else."""
    if dtype.startswith(("int", "uint")):
        return True
    return False if dtype.startswith(("float", "bfloat")) else None
