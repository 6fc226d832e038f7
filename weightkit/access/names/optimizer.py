"""Names of what training saves besides a model's weights: the optimizer's variables, and Keras 2's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.serialized_layer import serialized
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from weightkit.access.names.object_tree import Node

OPTIMIZER = "optimizer"
METRICS = frozenset({"metrics", "_metrics", "_compile_metrics", "compiled_metrics", "_loss_tracker"})
"""Attributes of a model; Keras 2 saves ``metrics/mean/vars``, Keras 3 nothing."""


def of(root: Node, config: Mapping[str, Any] | None) -> dict[str, list[Naming]]:
    """The namings of everything that belongs to training, by object path."""
    rate_is_stored = _rate_is_stored(config)
    found: dict[str, list[Naming]] = {}
    for node in root.below():
        if node.path.split("/")[0] == OPTIMIZER or _is_nested_optimizer(node):
            found[node.path] = _optimizer(node, rate_is_stored=rate_is_stored and node.path == OPTIMIZER)
        elif node.path.split("/")[0] in METRICS:
            found[node.path] = [_metric(node, i) for i in range(len(node.variables))]
    return found


def _is_nested_optimizer(node: Node) -> bool:
    """Whether this is the optimizer of a nested model: its first weight counts steps."""
    return node.key == OPTIMIZER and bool(node.variables) and node.indices[0] == 0 and _counts(node.variables[0])


def _optimizer(node: Node, *, rate_is_stored: bool) -> list[Naming]:
    """Scalars have no names: the step count is first, the learning rate second if the config says so."""
    counted = bool(node.variables) and node.indices[0] == 0 and _counts(node.variables[0])
    namings = []
    for index, stored in zip(node.indices, node.variables, strict=True):
        name, source = None, Source.KEY
        if counted and index == 0:
            name = "iteration"
        elif counted and index == 1 and rate_is_stored and stored.shape == ():
            name, source = "learning_rate", Source.CONFIG
        namings.append(Naming(stored.structure, index, node.path, name, Kind.OPTIMIZER, known_from=source))
    return namings


def _counts(stored: Stored) -> bool:
    return stored.shape == () and stored.dtype.startswith(("int", "uint"))


def _rate_is_stored(config: Mapping[str, Any] | None) -> bool:
    """Whether the learning rate is a variable: a number in the configuration of one of Keras 3's optimizers."""
    compiled = config.get("compile_config") if isinstance(config, Mapping) else None
    optimizer = serialized(compiled.get("optimizer")) if isinstance(compiled, Mapping) else None
    if optimizer is None or not optimizer.builtin:
        return False
    rate = optimizer.config.get("learning_rate")
    # Keras 2 stores the rate elsewhere; a wrapper's variables are its own.
    other = {"is_legacy_optimizer", "jit_compile", "inner_optimizer", "optimizers"} & optimizer.config.keys()
    return isinstance(rate, (int, float)) and not isinstance(rate, bool) and not other


def _metric(node: Node, position: int) -> Naming:
    stored, index = node.variables[position], node.indices[position]
    return Naming(stored.structure, index, node.path, None, Kind.STATE, known_from=Source.KEY)
