"""The parametrizations under the names that people look for, each around a whole layer."""

from __future__ import annotations

from typing import Any

from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.mask import Mask
from weightkit.layers.parametrizations.spectral_norm import SpectralNorm
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrizations.weight_standardization import StandardizedWeight
from weightkit.layers.parametrized.wrapper import Parametrized

_ALL = "**"


def WeightNormalization(layer: Any, where: str = _ALL) -> Parametrized:  # noqa: N802  # it reads as a layer
    """A layer whose weights of rank 2 and more have a direction and a length, apart: see `WeightNorm`."""
    return Parametrized(layer, {where: WeightNorm()})


def SpectralReparametrization(layer: Any, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose weights of rank 2 and more have spectral norm 1: see `SpectralNorm`.

    Keras has a SpectralNormalization of its own, which overwrites the kernel while it trains.
    """
    return Parametrized(layer, {where: SpectralNorm(**settings)})


def WeightStandardization(layer: Any, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose filters have mean 0 and variance 1: see `StandardizedWeight`."""
    return Parametrized(layer, {where: StandardizedWeight(**settings)})


def MaskedWeights(layer: Any, mask: Any = None, where: str = "name:kernel") -> Parametrized:  # noqa: N802
    """A layer, entries of whose kernel are and stay zero: see `Mask`."""
    return Parametrized(layer, {where: Mask(mask)})


def LoRA(layer: Any, rank: int, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose weights of rank 2 and more are frozen, and adapted by two small factors: see `LowRank`."""
    return Parametrized(layer, {where: LowRank(rank, **settings)})


def TiedTo(layer: Any, other: Any, where: str = "name:kernel", **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose kernel is another layer's weight, transposed where shapes ask for it: see `Tied`."""
    return Parametrized(layer, {where: Tied(other, **settings)})
