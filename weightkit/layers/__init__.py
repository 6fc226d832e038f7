"""Layers and parametrisations of layers, for Keras on any backend."""

from weightkit.layers.bake import bake
from weightkit.layers.gradient_reversal import GradientReversal
from weightkit.layers.layer_scale import LayerScale
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.mask import Mask
from weightkit.layers.parametrizations.parametrization import Parametrization
from weightkit.layers.parametrizations.spectral_norm import SpectralNorm
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrizations.weight_standardization import StandardizedWeight
from weightkit.layers.parametrize import load_unwrapped, parametrize
from weightkit.layers.parametrized import Parametrized
from weightkit.layers.wrappers import (
    LoRA,
    MaskedWeights,
    SpectralReparametrization,
    TiedTo,
    WeightNormalization,
    WeightStandardization,
)

__all__ = [
    "GradientReversal",
    "LayerScale",
    "LoRA",
    "LowRank",
    "Mask",
    "MaskedWeights",
    "Parametrization",
    "Parametrized",
    "SpectralNorm",
    "SpectralReparametrization",
    "StandardizedWeight",
    "Tied",
    "TiedTo",
    "WeightNorm",
    "WeightNormalization",
    "WeightStandardization",
    "bake",
    "load_unwrapped",
    "parametrize",
]
