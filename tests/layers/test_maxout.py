"""Maxout: each output is the largest of several linear functions."""

from __future__ import annotations

import keras
import numpy as np
from layers.own import OwnLayerContract, nonsense

from weightkit.layers import Maxout


class TestMaxout(OwnLayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 2, 2, 3))
    bad_arguments = ({"units": -1}, {"pieces": 0}, {"pieces": True}, {"use_bias": 1}, *nonsense("kernel", "bias"))

    def make_layer(self, **overrides):
        return Maxout(
            **{"units": 3, "pieces": 2, "bias_initializer": keras.initializers.RandomNormal(seed=1)} | overrides
        )

    def expected(self, weights, inputs, *, training):
        kernel = weights["kernel"].reshape(-1, 3, 2)
        return np.max(np.einsum("...i,iuk->...uk", inputs, kernel) + weights["bias"].reshape(3, 2), axis=-1)


class TestMaxoutWithoutBias(OwnLayerContract):
    second_setting = True
    bad_arguments = ({"units": 1.5}, *TestMaxout.bad_arguments)

    def make_layer(self, **overrides):
        return Maxout(**{"units": 2, "pieces": 3, "use_bias": False} | overrides)

    def expected(self, weights, inputs, *, training):
        return np.max(np.einsum("...i,iuk->...uk", inputs, weights["kernel"].reshape(-1, 2, 3)), axis=-1)


def test_it_is_convex():
    layer, generator = Maxout(4, pieces=5), np.random.default_rng(1)
    one, two = generator.normal(size=(2, 50, 3)).astype(np.float32)
    middle, ends = layer((one + two) / 2), (layer(one) + layer(two)) / 2
    assert np.all(keras.ops.convert_to_numpy(middle) <= keras.ops.convert_to_numpy(ends) + 1e-5)


def test_one_of_its_pieces_at_zero_makes_it_relu():
    layer, inputs = Maxout(1, use_bias=False), np.array([[2.0], [-2.0]], np.float32)
    layer(inputs)
    layer.kernel.assign([[1.0, 0.0]])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(inputs)), [[2.0], [0.0]])
