"""Layers and parametrisations of layers, for Keras on any backend.

Importing this registers every class of ours with Keras, so that saved models load.
"""

from weightkit.layers.checked_embedding import CheckedEmbedding
from weightkit.layers.cosine_dense import CosineDense
from weightkit.layers.film import FiLM
from weightkit.layers.global_response_norm import GlobalResponseNorm
from weightkit.layers.gradient_reversal import GradientReversal
from weightkit.layers.hyper_dense import HyperDense
from weightkit.layers.layer_scale import LayerScale
from weightkit.layers.maxout import Maxout
from weightkit.layers.noisy_dense import NoisyDense
from weightkit.layers.stochastic_depth import StochasticDepth

__all__ = [
    "CheckedEmbedding",
    "CosineDense",
    "FiLM",
    "GlobalResponseNorm",
    "GradientReversal",
    "HyperDense",
    "LayerScale",
    "Maxout",
    "NoisyDense",
    "StochasticDepth",
]
