"""StandardizedWeight: filters of mean 0 and variance 1."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, computed, numbers

from weightkit.layers import Parametrized, StandardizedWeight


class TestStandardizedWeight(Wrapped):
    parametrization = StandardizedWeight
    bad_arguments = ({"epsilon": -1.0}, {"gain": 1}, {"scaled": "yes"})

    def kernel(self, weights):
        kernel = weights["kernel"]
        centered = kernel - kernel.mean(0)
        return weights["kernel_gain"] * centered / np.sqrt(np.mean(centered**2, 0) + 1e-5)

    def settle(self, layer):
        layer.computed[0].steps[0][1]["gain"].variable.assign([[0.5, -1.0, 2.0]])


@pytest.mark.parametrize(("scaled", "variance"), [(False, 1.0), (True, 1 / 27)])
def test_every_filter_has_mean_0_and_variance_1_over_its_fan_in_if_asked(scaled, variance):
    layer = Parametrized(keras.layers.Conv2D(4, 3), kernel=StandardizedWeight(scaled=scaled, epsilon=0.0))
    layer(numbers(2, 5, 5, 3))
    filters = computed(layer).reshape(27, 4)
    np.testing.assert_allclose(filters.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(filters.var(0), variance, rtol=1e-4)


def test_without_a_gain_nothing_is_added():
    layer = Parametrized(keras.layers.Dense(4), kernel=StandardizedWeight(gain=False))
    layer.build((None, 3))
    assert [weight.name for weight in layer.weights] == ["kernel", "bias"]
