"""NoisyDense: a dense layer whose weights carry noise of a learned size."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.layers import NoisyDense
from weightkit.testing.layer.exemptions import Exemption

DRAWS = Exemption("stochastic", "noise on the weights is drawn in training")


class TestNoisyDense(OwnLayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 2, 2, 3))
    exemptions = (DRAWS,)
    bad_arguments = (
        {"units": 0},
        {"units": 2.5},
        {"noise": "loud"},
        {"sigma": -1},
        {"activation": "nonsense"},
        {"use_bias": 1},
        {"seed": 1.5},
        *nonsense("kernel", "bias"),
        *nonsense("kernel_sigma", "bias_sigma")[1::3],
        *nonsense("kernel_sigma", "bias_sigma")[2::3],
    )

    def make_layer(self, **overrides):
        return NoisyDense(**{"units": 3, "activation": "relu", "seed": 5} | overrides)

    def expected(self, weights, inputs, *, training):
        return np.maximum(inputs @ weights["kernel"] + weights["bias"], 0)


class TestIndependentNoise(OwnLayerContract):
    second_setting = True
    exemptions = (DRAWS,)
    bad_arguments = ({"noise": None}, {"units": "many"}, *TestNoisyDense.bad_arguments)

    def make_layer(self, **overrides):
        return NoisyDense(**{"units": 3, "noise": "independent", "use_bias": False, "seed": 5} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs @ weights["kernel"]


def draws(noise, count=500):
    """Many draws of the noisy kernel, less its mean: outputs for unit vectors, which share each draw."""
    layer = NoisyDense(2, use_bias=False, noise=noise, seed=1)
    eye = np.eye(3, dtype=np.float32)
    layer(eye)
    mean = keras.ops.convert_to_numpy(layer(eye, training=False))
    made = keras.ops.stack([layer(eye, training=True) for _ in range(count)])
    return (keras.ops.convert_to_numpy(made) - mean) / keras.ops.convert_to_numpy(layer.kernel_sigma)


@pytest.mark.parametrize("noise", ["independent", "factorized"])
def test_noise_has_the_mean_zero_and_the_moments_of_its_kind(noise):
    found = draws(noise)
    # E f(e)^2 = E |e| = sqrt(2 / pi), squared for a product of two; the fourth moments are 3 and (E e^2)^2 = 1
    second = 1.0 if noise == "independent" else 2 / np.pi
    assert np.abs(found.mean(axis=0)).max() < 0.2
    assert np.mean(found**2) == pytest.approx(second, abs=0.1)
    assert np.mean(found**4) == pytest.approx(3.0 if noise == "independent" else 1.0, abs=0.6)


def test_factorized_noise_has_rank_one_and_independent_noise_has_not():
    for noise, rank in (("factorized", 1), ("independent", 2)):
        one = draws(noise, 1)[0]
        assert np.linalg.matrix_rank(one, tol=1e-3) == rank


@pytest.mark.parametrize(("noise", "limit", "sigma"), [("factorized", 0.1, 0.05), ("independent", 0.03**0.5, 0.017)])
def test_weights_begin_as_in_the_paper(noise, limit, sigma):
    layer = NoisyDense(50, noise=noise, seed=1)
    layer(np.ones((1, 100), np.float32))
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    assert 0.95 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.kernel_sigma), sigma, rtol=1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.bias_sigma), sigma, rtol=1e-6)
