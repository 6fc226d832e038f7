"""Layers with their own rules for being frozen: LoRA, BatchNormalization, SpectralNormalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.training.model.model_view import ModelView


def lora_bases(view: ModelView) -> set[int]:
    """The ``id`` of weights that LoRA keeps frozen.

    They are the base weights of Keras' own LoRA, and what a layer lists as ``frozen_base_variables``, as weightkit's
    wrappers do.
    """
    found = set()
    for layer in view.layers:
        if getattr(layer, "lora_enabled", False):
            # Where Dense, EinsumDense, convolutions and Embedding of Keras 3.15 keep what LoRA is added to.
            names = ("_kernel", "_embeddings")
            found |= {id(getattr(layer, name)) for name in names if getattr(layer, name, None) is not None}
        found |= {id(variable) for variable in getattr(layer, "frozen_base_variables", ())}
    return found


def normalizations_of(view: ModelView, wanted: dict[WeightRef, bool]) -> list[Any]:
    """The BatchNormalizations that have one of these weights."""
    variables = {id(view.parameters[ref]) for ref in wanted}
    # Mean and variance both lead to their layer: each layer counts once.
    layers = {id(layer): layer for layer in view.normalizations.values()}.values()
    return [layer for layer in layers if any(id(v) in variables for v in layer._trainable_variables)]  # noqa: SLF001


def spectral_norm_notes(view: ModelView, wanted: dict[WeightRef, bool]) -> tuple[str, ...]:
    """Notes on SpectralNormalizations around frozen kernels.

    In Keras 3.15 SpectralNormalization assigns its layer's kernel in every training step, whatever the flags.
    """
    variables = {id(view.parameters[ref]) for ref in wanted}
    return tuple(
        f"{layer.name}: SpectralNormalization still changes the kernel of its layer in training"
        for layer in view.layers
        if isinstance(layer, keras.layers.SpectralNormalization)
        and any(id(variable) in variables for variable in layer.layer._trainable_variables)  # noqa: SLF001
    )
