"""FiLM: features scaled and shifted, channel by channel, as a condition says."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.errors import RequestError
from weightkit.layers import FiLM

RANDOM = {"bias_initializer": keras.initializers.RandomNormal(seed=1)}


def modulated(weights, features, condition):
    gamma, beta = np.split(condition @ weights["kernel"] + weights["bias"], 2, axis=-1)
    middle = (len(condition), *[1] * (features.ndim - 2), -1)
    return (1 + gamma.reshape(middle)) * features + beta.reshape(middle)


class TestFiLM(OwnLayerContract):
    input_shapes = (((3, 4), (3, 2)), ((2, 3, 4), (2, 3)), ((2, 3, 2, 4), (2, 3)), ((2, 2, 2, 2, 3), (2, 2)))
    bad_arguments = ({"data_format": "sideways"}, *nonsense("kernel", "bias"))

    def make_layer(self, **overrides):
        return FiLM(**RANDOM | overrides)

    def expected(self, weights, inputs, *, training):
        return modulated(weights, *inputs)


class TestFiLMChannelsFirst(OwnLayerContract):
    second_setting = True
    input_shapes = (((2, 4, 3), (2, 3)), ((2, 4, 3, 2), (2, 3)))
    known_axes = (1,)
    bad_arguments = ({"data_format": 1}, *TestFiLM.bad_arguments)

    def make_layer(self, **overrides):
        return FiLM(**RANDOM | {"data_format": "channels_first"} | overrides)

    def expected(self, weights, inputs, *, training):
        features, condition = inputs
        return np.moveaxis(modulated(weights, np.moveaxis(features, 1, -1), condition), -1, 1)


def test_a_condition_of_zeros_changes_nothing_at_first():
    features = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    output = FiLM()([features, np.zeros((2, 5), np.float32)])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(output), features)


def test_one_input_is_refused():
    with pytest.raises(RequestError, match=r"two inputs, \[features, condition\]"):
        FiLM().build((None, 4))
