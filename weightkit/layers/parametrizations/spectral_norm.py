"""Spectral normalization: a weight whose largest singular value is 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.making.precision import at_least_float32
from weightkit.layers.parametrizations.parametrization import Added, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping

_TINY = 1e-12


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class SpectralNorm(Parametrization):
    """The weight divided by its spectral norm (Miyato 2018, arXiv 1802.05957, equation 8 and algorithm 1).

    A step of training does ``power_iterations`` steps of the power iteration first, which update ``kernel_u``: a
    statistic, of one vector ``(fan_out,)`` for each matrix. A convolution's kernel is the matrix ``(height * width *
    channels, filters)``; a transposed one's has its own outputs as columns; a depthwise kernel is a matrix ``(height
    * width, multiplier)`` for each channel, each divided by its own norm. A matrix whose ``W u`` is zero, as that of a
    kernel of zeros, stays as it is and leaves its vector alone. Norms are computed in float32 at least.

    Args:
        power_iterations: Steps for each training step.
        warm_up: Steps when the layer is built, so that the first output is near norm 1.
    """

    power_iterations: int = 1
    warm_up: int = 30

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, least in (("power_iterations", 1), ("warm_up", 0)):
            good = self._is_integer(name) and getattr(self, name) >= least
            self._require(name, good, f"give an integer of at least {least}")

    def build(self, weight: Weight) -> dict[str, Added]:
        """A vector of outputs for each matrix, iterated from one of ones."""
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

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:
        """The weight over ``v W u``, in which the vectors are constants to the gradient."""
        matrices = at_least_float32(weight.axes.to_matrices(base))
        constant = ops.stop_gradient(matrices)
        held = added["u"].variable
        u = ops.cast(held.value, matrices.dtype)
        if training:
            for _ in range(self.power_iterations):
                u, v = _iterated(constant, u)
            u, v = ops.stop_gradient(u), ops.stop_gradient(v)
            held.assign(ops.cast(u, held.dtype))
        else:
            product = _times(constant, u)
            v = ops.stop_gradient(_unit(product, ops.zeros_like(product)))
        sigma = ops.sum(v * _times(matrices, u), axis=-1)
        sigma = ops.where(sigma > _TINY, sigma, ops.ones_like(sigma))
        if not weight.axes.batch:
            return ops.cast(at_least_float32(base) / sigma, base.dtype)
        return ops.cast(weight.axes.from_matrices(matrices / sigma[:, None, None]), base.dtype)


_SEED = 1802


def _times(matrices: Any, u: Any) -> Any:
    """``W u``, of each matrix."""
    return ops.squeeze(ops.matmul(matrices, u[..., None]), -1)


def _iterated(matrices: Any, u: Any) -> tuple[Any, Any]:
    """One step: ``v`` is ``W u`` and then ``u`` is ``W' v``, each of length 1; ``u`` stays where that is zero."""
    product = _times(matrices, u)
    v = _unit(product, ops.zeros_like(product))
    return _unit(ops.squeeze(ops.matmul(v[..., None, :], matrices), -2), u), v


def _unit(vector: Any, otherwise: Any) -> Any:
    """The vector at length 1; where it has no length, ``otherwise``: a vector of zeros would stay so for good."""
    length = ops.sqrt(ops.sum(ops.square(vector), axis=-1, keepdims=True))
    is_long = length > _TINY
    return ops.where(is_long, vector / ops.where(is_long, length, ops.ones_like(length)), otherwise)
