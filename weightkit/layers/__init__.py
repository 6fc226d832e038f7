"""Layers and parametrisations of layers, for Keras on any backend."""

from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.mask import Mask
from weightkit.layers.parametrizations.parametrization import Parametrization
from weightkit.layers.parametrizations.spectral_norm import SpectralNorm
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrizations.weight_standardization import StandardizedWeight
from weightkit.layers.parametrized import Parametrized

__all__ = [
    "LowRank",
    "Mask",
    "Parametrization",
    "Parametrized",
    "SpectralNorm",
    "StandardizedWeight",
    "Tied",
    "WeightNorm",
]
