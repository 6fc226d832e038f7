"""SpectralNorm: the largest singular value is 1."""

from __future__ import annotations

from types import MappingProxyType

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, computed, numbers

from weightkit.layers import Parametrized, SpectralNorm
from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import Exemption, point


class TestSpectralNorm(Wrapped):
    parametrization = SpectralNorm
    settings = MappingProxyType({"warm_up": 3})
    bad_arguments = ({"power_iterations": 0}, {"warm_up": -1}, {"power_iterations": True})
    exemptions = (Exemption("stateful_in_training", "a step of training updates the vector of the power iteration"),)

    @point(3)
    def test_the_gradient_of_every_weight_is_its_derivative(self):
        """Once the vectors of the power iteration have converged: to the gradient they are constants."""
        keras.utils.set_random_seed(1)
        self.settings = {"warm_up": 300}
        super().test_the_gradient_of_every_weight_is_its_derivative()

    def expected(self, weights, inputs, *, training):
        named = {path.rpartition("/")[2]: value for path, value in weights.items()}
        matrix, u = named["kernel"], named["kernel_u"]
        v = matrix @ u / np.linalg.norm(matrix @ u)
        sigma = np.linalg.norm(v @ matrix) if training else v @ matrix @ u
        return inputs @ matrix / sigma + named["bias"]


MATRICES = {
    "dense": (lambda **options: keras.layers.Dense(4, **options), (2, 5), lambda w: w),
    "conv": (lambda: keras.layers.Conv2D(4, 3), (2, 5, 5, 3), lambda w: w.reshape(27, 4)),
    "transposed": (
        lambda: keras.layers.Conv2DTranspose(4, 3), (2, 5, 5, 3), lambda w: w.transpose(0, 1, 3, 2).reshape(27, 4)
    ),
    "depthwise": (
        lambda **options: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, **options),
        (2, 5, 5, 3),
        lambda w: w.transpose(2, 0, 1, 3).reshape(3, 9, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MATRICES.values(), ids=MATRICES)
def test_every_matrix_has_norm_one(case):
    make, shape, as_matrices = case
    layer = Parametrized(make(), kernel=SpectralNorm(warm_up=300))
    layer(numbers(*shape))
    norms = np.linalg.svd(as_matrices(computed(layer)), compute_uv=False)[..., 0]
    np.testing.assert_allclose(norms, 1.0, rtol=1e-4)


def test_training_follows_a_weight_that_changes_and_inference_changes_nothing():
    layer = Parametrized(keras.layers.Dense(4), kernel=SpectralNorm())
    x = numbers(2, 5)
    layer(x)
    layer.layer.kernel.assign(numbers(5, 4, seed=1))
    before = layer.get_weights()
    layer(x, training=False)
    assert all((one == two).all() for one, two in zip(before, layer.get_weights(), strict=True))
    for _ in range(100):
        layer(x, training=True)
    assert np.linalg.norm(computed(layer), 2) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", [MATRICES["dense"], MATRICES["depthwise"]], ids=["dense", "depthwise"])
def test_a_kernel_of_zeros_stays_with_finite_gradients_and_is_normed_once_it_is_none(case, dtype):
    make, shape, as_matrices = case
    layer, x = Parametrized(make(dtype=dtype), kernel=SpectralNorm()), numbers(*shape).astype(dtype)
    output = layer(x)
    weight = layer.computed[0].weight.variable
    normal = numbers(*weight.shape, seed=1)
    weight.assign(np.zeros(weight.shape))
    cotangent = np.ones(output.shape, dtype)
    for _ in range(2):
        _, gradients = backends.gradients(layer, [x], cotangent, lambda one: one[0], training=True)
        assert all(np.isfinite(one).all() for one in gradients)
        assert not computed(layer).any()
    weight.assign(normal)
    for _ in range(100):
        layer(x, training=True)
    norms = np.linalg.svd(as_matrices(computed(layer).astype(np.float32)), compute_uv=False)[..., 0]
    np.testing.assert_allclose(norms, 1.0, rtol=1e-4 if dtype == "float32" else 1e-2)
