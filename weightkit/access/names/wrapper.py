"""What weightkit's ``Parametrized`` layers save, from their configuration.

A ``Parametrized`` layer holds the weights that its parametrizations add. They compute from the weights of the layer
inside, except those that another layer owns.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.names import class_weights, weightkit_layers
from weightkit.access.names.class_table import own_table
from weightkit.access.names.serialized_layer import serialized
from weightkit.access.ref import Kind
from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from weightkit.access.configured import Configured
    from weightkit.access.names.class_table import Case, NamedWeight
    from weightkit.access.names.reading import Weights
    from weightkit.access.names.serialized_layer import Serialized

WRAPPER = "Parametrized"
_MOST_STEPS, _LONGEST = 1_000, 1_000  # parametrizations of one layer, characters of what stands for a weight
_INITIALIZERS = {"lora_{}_a": "he_uniform", "lora_{}_b": "zeros", "{}_gain": "ones"}
"""Of added weights that are not computed from the weights inside."""
INNER = "layer"
"""The attribute under which the layer inside is saved."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What a wrapper's configuration says about the weights of the layer inside, by their path below it."""

    frozen: frozenset[str]
    """Frozen weights."""
    tied: frozenset[str]
    """Weights that another layer owns and saves."""


@dataclass(frozen=True, slots=True)
class Step:
    """One parametrization of one computed weight."""

    structure: str
    """The weight's path below the layer inside."""
    label: str
    """What stands for the weight in the names of added weights."""
    case: Case | None
    """What the parametrization adds; None where it is not weightkit's own, or its settings do not say."""


def is_wrapper(layer: Serialized) -> bool:
    """Whether a configuration is that of a ``Parametrized`` layer."""
    return layer.class_name == WRAPPER and weightkit_layers.is_own(layer) and "targets" in layer.config


def kind_in_wrapper(name: str) -> Kind:
    """The kind of a wrapper's own variable, by its name."""
    return next((kind for ending, kind in _endings().items() if name.endswith(ending)), Kind.PARAMETER)


@functools.cache
def _endings() -> dict[str, Kind]:
    """The endings of names of weights that are not trained: ``_mask`` of ``{}_mask``."""
    cases = (case for entry in own_table().parametrizations.values() for case in entry.cases)
    added = (weight for case in cases for weight in case.weights)
    return {weight.name.rpartition("{}")[2]: weight.kind for weight in added if weight.kind is not Kind.PARAMETER}


def added_weights(config: Mapping[str, Any]) -> Weights | None:
    """What a wrapper saves itself, in save order, trained weights first; None where its configuration does not say."""
    found: list[NamedWeight] = []
    for number, step in enumerate(_steps(config)):
        if step.case is None:
            return None
        found += [_labeled(weight, step.label, number) for weight in step.case.weights]
    return tuple(sorted(found, key=lambda weight: weight.kind is not Kind.PARAMETER))


def kind_of(layer: Serialized, name: str) -> Kind:
    """The kind of a weight of this name that one of weightkit's layers saves itself; UNKNOWN for any other."""
    if is_wrapper(layer):
        weights = added_weights(layer.config) or ()
    else:
        entry = weightkit_layers.find(layer)
        weights = () if entry is None else tuple(weight for case in entry.cases for weight in case.weights)
    return next((weight.kind for weight in weights if weight.name == name), Kind.UNKNOWN)


def _labeled(weight: NamedWeight, label: str, number: int) -> NamedWeight:
    """An added weight under its name; sizes are equal only within one step."""
    sizes = tuple(size if size.isdecimal() else f"{size}@{number}" for size in weight.dimensions)
    return replace(weight, name=weight.name.format(label), dimensions=sizes)


def initializer_of(configured: Configured, name: str) -> str | None:
    """The initializer of an added weight; None where it is computed from the weights inside, or not known."""
    if configured.layer_class != WRAPPER:
        return None
    for step in _steps(configured.config):
        for pattern, spec in _INITIALIZERS.items():
            if step.case is not None and pattern.format(step.label) == name and _adds(step.case, pattern):
                return spec
    return None


def _adds(case: Case, pattern: str) -> bool:
    return any(weight.name == pattern for weight in case.weights)


def inner_of(config: Mapping[str, Any]) -> Inner:
    """What a wrapper's configuration says about the layer inside."""
    becomes: dict[str, set[str]] = {"frozen": set(), "absent": set()}
    for step in _steps(config):
        if step.case is not None and step.case.base in becomes:
            becomes[step.case.base].add(step.structure)
    return Inner(frozenset(becomes["frozen"]), frozenset(becomes["absent"]))


def _steps(config: Mapping[str, Any]) -> Iterator[Step]:
    """Each parametrization of each computed weight, in build order.

    Raises:
        UnsafeFileError: There are more than any layer has: every selection has all its weights times all its steps.
    """
    left, targets, weights = _MOST_STEPS, config.get("targets"), config.get("weights")
    if not isinstance(targets, Mapping) or not isinstance(weights, Mapping):
        return
    for selection, places in targets.items():
        steps = weights.get(selection)
        if not isinstance(places, Mapping) or not isinstance(steps, list):
            continue
        for structure, label in ((str(place), str(label)) for place, label in places.items()):
            for step in steps:
                one = serialized(step)
                left -= 1
                if left < 0 or len(label) > _LONGEST:
                    raise UnsafeFileError(
                        f"a {WRAPPER} layer must have at most {_MOST_STEPS} parametrizations, with short names",
                        hint="do not trust this file, or save the model again",
                    )
                if one is not None:
                    yield Step(structure, label, _case_of(one))


def _case_of(step: Serialized) -> Case | None:
    """What a parametrization adds under its settings."""
    entry = weightkit_layers.find_parametrization(step)
    cases = [] if entry is None else class_weights.cases_in(entry, step.config)
    return cases[0] if len(cases) == 1 else None
