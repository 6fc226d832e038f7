"""Layers for Keras on any backend, and parametrizations that compute the weights of other layers.

Importing this module registers every class with Keras, so that saved models load.
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
from weightkit.layers.parametrizations.held import Held
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.mask import Mask
from weightkit.layers.parametrizations.parametrization import Parametrization
from weightkit.layers.parametrizations.spectral_norm import SpectralNorm
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrizations.weight_standardization import StandardizedWeight
from weightkit.layers.parametrized.bake import bake
from weightkit.layers.parametrized.data_initialization import initialize_from_data
from weightkit.layers.parametrized.parametrize import load_unwrapped, parametrize
from weightkit.layers.parametrized.wrapper import Parametrized
from weightkit.layers.parametrized.wrappers import (
    HeldWeights,
    LoRA,
    MaskedWeights,
    SpectralReparametrization,
    TiedTo,
    WeightNormalization,
    WeightStandardization,
)
from weightkit.layers.stochastic_depth import StochasticDepth

__all__ = [
    "CheckedEmbedding",
    "CosineDense",
    "FiLM",
    "GlobalResponseNorm",
    "GradientReversal",
    "Held",
    "HeldWeights",
    "HyperDense",
    "LayerScale",
    "LoRA",
    "LowRank",
    "Mask",
    "MaskedWeights",
    "Maxout",
    "NoisyDense",
    "Parametrization",
    "Parametrized",
    "SpectralNorm",
    "SpectralReparametrization",
    "StandardizedWeight",
    "StochasticDepth",
    "Tied",
    "TiedTo",
    "WeightNorm",
    "WeightNormalization",
    "WeightStandardization",
    "bake",
    "initialize_from_data",
    "load_unwrapped",
    "parametrize",
]
