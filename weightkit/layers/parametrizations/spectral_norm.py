"""Spectral normalization: a weight whose largest singular value is 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import positive_integer
from weightkit.layers.making.precision import at_least_float32
from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping

_TINY = 1e-12


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class SpectralNorm(Parametrization):
    """The weight divided by its spectral norm (Miyato 2018, arXiv 1802.05957, equation 8 and algorithm 1).

    Each training step first does ``power_iterations`` steps of the power iteration, which update ``kernel_u``, a
    statistic of one vector ``(fan_out,)`` for each matrix. A convolution's kernel is the matrix ``(height * width *
    channels, filters)``; that of a transposed convolution has the convolution's outputs as columns; a depthwise kernel
    is a matrix ``(height * width, multiplier)`` for each channel, each divided by its own norm. A matrix with ``W u =
    0``, such as a kernel of zeros, is not changed, nor is its vector. Norms are computed in float32 or wider.

    Args:
        power_iterations: Power iterations for each training step.
        warm_up: Power iterations when the layer is built, so that the norm is near 1 from the first step.
    """

    power_iterations: int = 1
    warm_up: int = 30

    updates_added = True

    def __post_init__(self) -> None:
        """Check the settings."""
        self._check(positive_integer, "power_iterations")
        self._check(positive_integer, "warm_up", at_least=0)

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add a vector for each matrix, random and then improved by ``warm_up`` power iterations."""
        axes = weight.axes
        shape = (axes.count, axes.fan_out) if axes.batch else (axes.fan_out,)

        def initial(shape: Any, dtype: Any = None) -> Any:
            matrices = at_least_float32(axes.to_matrices(weight.before()))
            drawn = ops.cast(keras.random.normal(shape, dtype=dtype, seed=_SEED), matrices.dtype)
            u = _unit(drawn, drawn)
            for _ in range(self.warm_up):
                u, _v = _iterated(matrices, u)
            return ops.cast(u, dtype)

        return {"u": weight.add(f"{weight.label}_u", shape, initial, trainable=False)}

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:
        """The weight divided by ``v W u``; the gradient takes the vectors as constants."""
        matrices = at_least_float32(weight.axes.to_matrices(base))
        constant = ops.stop_gradient(matrices)
        stored = added["u"].variable
        u = ops.cast(stored.value, matrices.dtype)
        if training:
            for _ in range(self.power_iterations):
                u, v = _iterated(constant, u)
            u, v = ops.stop_gradient(u), ops.stop_gradient(v)
            stored.assign(ops.cast(u, stored.dtype))
        else:
            product = _times(constant, u)
            v = ops.stop_gradient(_unit(product, ops.zeros_like(product)))
        sigma = ops.sum(v * _times(matrices, u), axis=-1)
        sigma = ops.where(sigma > _TINY, sigma, ops.ones_like(sigma))
        # One norm for the whole weight: it divides in the weight's own shape, without transposing.
        if not weight.axes.batch:
            return ops.cast(at_least_float32(base) / sigma, base.dtype)
        return ops.cast(weight.axes.from_matrices(matrices / sigma[:, None, None]), base.dtype)


# Any fixed number: the same weights get the same vectors.
_SEED = 1802


def _times(matrices: Any, u: Any) -> Any:
    """``W u`` for each matrix."""
    return ops.squeeze(ops.matmul(matrices, u[..., None]), -1)


def _iterated(matrices: Any, u: Any) -> tuple[Any, Any]:
    """One power iteration: ``v = W u``, then ``u = W' v``, each of length 1; ``u`` stays where that is zero."""
    product = _times(matrices, u)
    v = _unit(product, ops.zeros_like(product))
    return _unit(ops.squeeze(ops.matmul(v[..., None, :], matrices), -2), u), v


def _unit(vector: Any, otherwise: Any) -> Any:
    """The vector scaled to length 1; ``otherwise`` where it is zero, since a zero ``u`` would stay zero forever."""
    length = ops.sqrt(ops.sum(ops.square(vector), axis=-1, keepdims=True))
    is_long = length > _TINY
    return ops.where(is_long, vector / ops.where(is_long, length, ops.ones_like(length)), otherwise)
