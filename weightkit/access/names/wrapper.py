"""What weightkit's ``Parametrized`` layers save, from their configuration.

A ``Parametrized`` layer holds the weights that its parametrizations add. They compute from the weights of the layer
inside, except those that another layer owns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.names.class_table import NamedWeight
from weightkit.access.names.serialized_layer import serialized
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from weightkit.access.names.reading import Weights
    from weightkit.access.names.serialized_layer import Serialized

WRAPPER = "Parametrized"
INNER = "layer"
"""The attribute under which the layer inside is saved."""

_PARAMETER, _STATISTIC, _STATE = Kind.PARAMETER, Kind.STATISTIC, Kind.STATE
_ADDED: Mapping[str, tuple[tuple[str, Kind, str | None], ...]] = {
    "WeightNorm": (("{}_g", _PARAMETER, None),),
    "SpectralNorm": (("{}_u", _STATISTIC, None),),
    "StandardizedWeight": (("{}_gain", _PARAMETER, "gain"),),
    "Mask": (("{}_mask", _STATE, None),),
    "LowRank": (
        ("lora_{}_a", _PARAMETER, None),
        ("lora_{}_b", _PARAMETER, None),
        ("lora_{}_magnitude", _PARAMETER, "magnitude"),
    ),
    "Tied": (),
}
"""By class of parametrization: names, kinds, and the setting that each weight needs."""
_KINDS = {"_u": _STATISTIC, "_mask": _STATE}


@dataclass(frozen=True, slots=True)
class Inner:
    """What a wrapper's configuration says about the weights of the layer inside, by their path below it."""

    frozen: frozenset[str]
    """Frozen weights."""
    tied: frozenset[str]
    """Weights that another layer owns and saves."""


def is_wrapper(layer: Serialized) -> bool:
    """Whether a configuration is that of a ``Parametrized`` layer."""
    return layer.class_name == WRAPPER and not layer.builtin and "targets" in layer.config


def kind_in_wrapper(name: str) -> Kind:
    """The kind of a wrapper's own variable, by its name."""
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), _PARAMETER)


def added_weights(config: Mapping[str, Any]) -> Weights | None:
    """What a wrapper saves itself, in save order, trained weights first; None where its configuration does not say."""
    found: list[NamedWeight] = []
    for label, class_name, settings in _steps(config):
        if class_name not in _ADDED:
            return None
        for pattern, kind, setting in _ADDED[class_name]:
            if setting is None or settings.get(setting):
                name = pattern.format(label)
                found.append(NamedWeight(name, kind, None, integer=False, dimensions=(f"*{name}",)))
    return tuple(sorted(found, key=lambda weight: weight.kind is not _PARAMETER))


def inner_of(config: Mapping[str, Any]) -> Inner:
    """What a wrapper's configuration says about the layer inside."""
    frozen, tied = set(), set()
    for structure, class_name, settings in _steps(config, labels=False):
        if class_name == "LowRank" and settings.get("freeze", True):
            frozen.add(structure)
        elif class_name == "Tied":
            tied.add(structure)
    return Inner(frozenset(frozen), frozenset(tied))


def _steps(config: Mapping[str, Any], *, labels: bool = True) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Label or path of each computed weight with each of its parametrizations, in build order."""
    targets, weights = config.get("targets"), config.get("weights")
    if not isinstance(targets, Mapping) or not isinstance(weights, Mapping):
        return
    for selection, places in targets.items():
        steps = weights.get(selection)
        if not isinstance(places, Mapping) or not isinstance(steps, list):
            continue
        for structure, label in places.items():
            for step in steps:
                one = serialized(step)
                if one is not None:
                    yield str(label if labels else structure), one.class_name, one.config
