"""WeightNorm: direction and length apart."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, array, computed, numbers

from weightkit.layers import Parametrized, WeightNorm


class TestWeightNorm(Wrapped):
    parametrization = WeightNorm

    def kernel(self, weights):
        v = weights["kernel"]
        return weights["kernel_g"] * v / np.linalg.norm(v, axis=0, keepdims=True)

    def settle(self, layer):
        layer.computed[0].steps[0][1]["g"].variable.assign([[0.5, -1.0, 2.0]])


LAYERS = {
    "conv": (lambda: keras.layers.Conv2D(4, 3), (2, 5, 5, 3), "kernel", (0, 1, 2)),
    "transposed": (lambda: keras.layers.Conv2DTranspose(4, 3), (2, 5, 5, 3), "kernel", (0, 1, 3)),
    "depthwise": (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (2, 5, 5, 3), "kernel", (0, 1)),
    "einsum": (lambda: keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (2, 4, 5), "kernel", (0,)),
    "recurrent": (lambda: keras.layers.GRU(3), (2, 4, 5), "recurrent_kernel", (0,)),
}


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_the_length_is_that_of_the_weights_of_one_output(case):
    make, shape, name, axes = case
    layer = Parametrized(make(), **{name: WeightNorm()})
    layer(numbers(*shape))
    g = layer.computed[0].steps[0][1]["g"].variable
    np.testing.assert_allclose(array(g.value), np.sqrt(np.sum(computed(layer) ** 2, axes, keepdims=True)), rtol=1e-5)
    g.assign(np.full(g.shape, 3.0))
    np.testing.assert_allclose(np.sqrt(np.sum(computed(layer) ** 2, axes)), 3.0, rtol=1e-5)


def test_a_layer_of_ones_own_may_be_called_depthwise_and_mix_channels():
    class MyDepthwiseThing(keras.layers.Dense):
        pass

    layer = Parametrized(MyDepthwiseThing(3), kernel=WeightNorm())
    layer.build((None, 4))
    assert tuple(layer.computed[0].steps[0][1]["g"].variable.shape) == (1, 3)


def test_a_filter_of_zeros_stays_one_and_trains_without_nans():
    model = keras.Sequential([keras.Input((3,)), Parametrized(keras.layers.Dense(2), kernel=WeightNorm())])
    model.layers[0].layer.kernel.assign(np.zeros((3, 2)))
    model.layers[0].reinitialize()
    model.compile("sgd", "mse")
    model.fit(numbers(4, 3), numbers(4, 2), verbose=0)
    assert all(np.isfinite(values).all() for values in model.get_weights())


def test_it_is_what_torch_computes_for_the_same_numbers():
    """Noted once from torch.nn.utils.parametrizations.weight_norm (2.13) on a Linear(3, 2), dim=0."""
    layer = Parametrized(keras.layers.Dense(2, use_bias=False), kernel=WeightNorm())
    layer.build((None, 3))
    layer.layer.kernel.assign([[3.0, 1.0], [4.0, 2.0], [0.0, 2.0]])
    layer.computed[0].steps[0][1]["g"].variable.assign([[10.0, 6.0]])
    np.testing.assert_allclose(computed(layer), [[6.0, 2.0], [8.0, 4.0], [0.0, 4.0]], rtol=1e-6)
