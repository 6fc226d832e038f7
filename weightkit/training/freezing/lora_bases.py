"""Layers that a selection of weights reaches, and that have a word to say about being frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef
    from weightkit.training.model.weights import Layered


def lora_bases(seen: Layered) -> set[int]:
    """Weights that LoRA holds: Keras' own, and those that a layer says it holds, as weightkit's wrappers do."""
    held = set()
    for layer in seen.layers:
        if getattr(layer, "lora_enabled", False):
            names = ("_kernel", "_embeddings")
            held |= {id(getattr(layer, name)) for name in names if getattr(layer, name, None) is not None}
        held |= {id(variable) for variable in getattr(layer, "frozen_base_variables", ())}
    return held


def reached(seen: Layered, wanted: dict[WeightRef, bool]) -> list[Any]:
    """BatchNormalizations of which some weight is among these."""
    touched = {id(seen.parameters[ref]) for ref in wanted}
    layers = {id(layer): layer for layer in seen.normalizations.values()}.values()
    return [layer for layer in layers if any(id(v) in touched for v in layer._trainable_variables)]  # noqa: SLF001


def normalized(seen: Layered, wanted: dict[WeightRef, bool]) -> tuple[str, ...]:
    """Keras' SpectralNormalization sets its layer's kernel at every step of training, whatever the flags."""
    touched = {id(seen.parameters[ref]) for ref in wanted}
    return tuple(
        f"{layer.name}: SpectralNormalization goes on changing the kernel of its layer while training"
        for layer in seen.layers
        if isinstance(layer, keras.layers.SpectralNormalization)
        and any(id(variable) in touched for variable in layer.layer._trainable_variables)  # noqa: SLF001
    )
