"""Each parametrization as a wrapper around a whole layer, under the name that users search for."""

from __future__ import annotations

from typing import Any

from weightkit.layers.parametrizations.held import Held
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.mask import Mask
from weightkit.layers.parametrizations.spectral_norm import SpectralNorm
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrizations.weight_standardization import StandardizedWeight
from weightkit.layers.parametrized.wrapper import Parametrized

_ALL = "**"


def WeightNormalization(layer: Any, where: str = _ALL) -> Parametrized:  # noqa: N802  # it reads as a layer
    """A layer whose weights of rank 2 or more have separate directions and lengths: see `WeightNorm`."""
    return Parametrized(layer, {where: WeightNorm()})


def SpectralReparametrization(layer: Any, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose weights of rank 2 or more have spectral norm 1: see `SpectralNorm`.

    Keras' own SpectralNormalization overwrites the kernel in training.
    """
    return Parametrized(layer, {where: SpectralNorm(**settings)})


def WeightStandardization(layer: Any, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose filters have mean 0 and variance 1: see `StandardizedWeight`."""
    return Parametrized(layer, {where: StandardizedWeight(**settings)})


def MaskedWeights(layer: Any, mask: Any = None, where: str = "name:kernel") -> Parametrized:  # noqa: N802
    """A layer with a kernel in which some elements stay zero: see `Mask`."""
    return Parametrized(layer, {where: Mask(mask)})


def HeldWeights(layer: Any, entries: Any, where: str = _ALL) -> Parametrized:  # noqa: N802
    """A layer in which some entries of the weights of rank 2 or more keep their values: see `Held`."""
    return Parametrized(layer, {where: Held(entries)})


def LoRA(layer: Any, rank: int, where: str = _ALL, **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose weights of rank 2 or more are frozen and adapted by two small factors: see `LowRank`."""
    return Parametrized(layer, {where: LowRank(rank, **settings)})


def TiedTo(layer: Any, other: Any, where: str = "name:kernel", **settings: Any) -> Parametrized:  # noqa: N802
    """A layer whose kernel is another layer's weight, transposed where the shapes require it: see `Tied`."""
    return Parametrized(layer, {where: Tied(other, **settings)})
