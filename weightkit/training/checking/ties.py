"""Weights that are tied to a layer that the model does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.training.checking.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.training.model.inventory import ModelWeights

_HINT = "train and save a model that holds both layers; a file of this one alone cannot be used"


def ties_outside(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Ties to weights that the model neither trains nor saves: one finding for each layer that has some.

    A layer lists what it is tied to as ``tied_variables``, as weightkit's wrappers do.
    """
    del weights
    held = {id(variable) for variable in model.variables}
    for layer in model._flatten_layers():  # noqa: SLF001  # Keras 3.15 has no public accessor
        tied = getattr(layer, "tied_variables", {})
        outside = {name: variable.path for name, variable in tied.items() if id(variable) not in held}
        if outside:
            pairs = ", ".join(f"{layer.name}/{name} to {path}" for name, path in outside.items())
            problem = f"{pairs}: tied to what the model does not hold, and so neither trains nor saves"
            yield Finding("tied outside", problem, _HINT, tuple(f"{layer.name}/{name}" for name in outside))
