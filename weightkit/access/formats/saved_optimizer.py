"""What a file that Keras wrote says about the optimizer: its configuration, its variables, the names of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_OBJECTS = "optimizer/vars/"


@dataclass(frozen=True, slots=True)
class SavedOptimizer:
    """An optimizer as Keras saves it: a list of variables, and what may tell which of them is which."""

    config: Mapping[str, Any] | None
    """``{"class_name": ..., "config": {...}}``; None where the file does not have it."""
    variables: tuple[WeightRef, ...]
    """The optimizer's variables in the optimizer's order; of a format with names, only those that it lists."""
    names: tuple[str, ...] = ()
    """What Keras called each of them, ``adam/dense_kernel_momentum``; empty in formats without names."""
    weight_names: Mapping[str, str] = field(default_factory=dict)
    """By structural address of a weight of the model, what Keras called it: ``dense/kernel:0``."""


def of_objects(refs: Iterable[WeightRef], config: Mapping[str, Any] | None) -> SavedOptimizer:
    """The optimizer in a version-3 file; its list has the variables of inner optimizers too.

    Args:
        refs: All weights of the file.
        config: The model's configuration, where there is one.
    """
    compiled = _mapping(config, "compile_config")
    variables = (ref for ref in refs if ref.kind is Kind.OPTIMIZER and ref.structure.startswith(_OBJECTS))
    ordered = sorted(variables, key=lambda ref: ref.index)
    return SavedOptimizer(_mapping(compiled, "optimizer"), tuple(ordered))


def of_lists(
    variables: tuple[WeightRef, ...],
    names: tuple[str, ...],
    weight_names: Mapping[str, str],
    training: Mapping[str, Any] | None,
) -> SavedOptimizer:
    """The optimizer in a legacy file, where lists give names.

    Args:
        variables: Its variables, in the order of the list.
        names: Their names.
        weight_names: By structural address, the names of the model's weights.
        training: The parsed ``training_config``, where there is one.
    """
    return SavedOptimizer(_mapping(training, "optimizer_config"), variables, names, weight_names)


def _mapping(given: Mapping[str, Any] | None, key: str) -> Mapping[str, Any] | None:
    found = given.get(key) if isinstance(given, Mapping) else None
    return found if isinstance(found, Mapping) else None
