"""Layers and parametrisations of layers, for Keras on any backend.

Importing this registers every class of ours with Keras, so that saved models load.
"""

from weightkit.layers.gradient_reversal import GradientReversal
from weightkit.layers.layer_scale import LayerScale

__all__ = [
    "GradientReversal",
    "LayerScale",
]
