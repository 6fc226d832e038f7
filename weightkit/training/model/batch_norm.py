"""Layers that measure statistics while they train."""

from __future__ import annotations

from typing import Any


def is_batch_norm(layer: Any) -> bool:
    """Whether a layer measures statistics while it trains, as its own flag says: Keras' BatchNormalization."""
    import keras  # noqa: PLC0415  # loading this module loads no backend

    return isinstance(layer, keras.layers.BatchNormalization)
