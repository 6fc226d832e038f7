"""GlobalResponseNorm: channels compete by how strongly each responds over the whole image."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.errors import RequestError
from weightkit.layers import GlobalResponseNorm

RANDOM = {
    "gamma_initializer": keras.initializers.RandomNormal(stddev=1, seed=1),
    "beta_initializer": keras.initializers.RandomNormal(stddev=1, seed=2),
}


def normalized(weights, inputs):
    lengths = np.sqrt(np.sum(inputs**2, axis=tuple(range(1, inputs.ndim - 1)), keepdims=True))
    relative = lengths / (lengths.mean(axis=-1, keepdims=True) + 1e-6)
    return weights["gamma"] * (inputs * relative) + weights["beta"] + inputs


class TestGlobalResponseNorm(OwnLayerContract):
    input_shapes = ((2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 3))
    bad_arguments = ({"epsilon": 0}, {"data_format": "sideways"}, *nonsense("gamma", "beta"))

    def make_layer(self, **overrides):
        return GlobalResponseNorm(**RANDOM | overrides)

    def expected(self, weights, inputs, *, training):
        return normalized(weights, inputs)


class TestGlobalResponseNormChannelsFirst(OwnLayerContract):
    second_setting = True
    input_shapes = ((2, 4, 3), (2, 4, 3, 2), (2, 3, 2, 2, 2))
    known_axes = (1,)
    bad_arguments = ({"epsilon": float("nan")}, *TestGlobalResponseNorm.bad_arguments)

    def make_layer(self, **overrides):
        return GlobalResponseNorm(**RANDOM | {"data_format": "channels_first"} | overrides)

    def expected(self, weights, inputs, *, training):
        return np.moveaxis(normalized(weights, np.moveaxis(inputs, 1, -1)), -1, 1)


def test_it_begins_as_the_identity():
    inputs = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(GlobalResponseNorm()(inputs)), inputs)


def test_masked_places_count_in_no_length():
    layer = GlobalResponseNorm(**RANDOM)
    inputs = np.random.default_rng(1).normal(size=(1, 4, 3)).astype(np.float32)
    whole = keras.ops.convert_to_numpy(layer(inputs, mask=np.array([[True, True, False, False]])))
    np.testing.assert_allclose(whole[:, :2], keras.ops.convert_to_numpy(layer(inputs[:, :2])), rtol=1e-5)


@pytest.mark.parametrize("shape", [(None, 4), (None, 2, 2, 2, 2, 4)])
def test_other_ranks_are_refused(shape):
    with pytest.raises(RequestError, match=f"rank 3 to 5, got rank {len(shape)}"):
        GlobalResponseNorm().build(shape)
