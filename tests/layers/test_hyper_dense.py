"""HyperDense: a dense layer whose kernel another, small network makes for each sample."""

from __future__ import annotations

from typing import ClassVar

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.errors import RequestError
from weightkit.layers import HyperDense

RANDOM = {
    f"{name}_initializer": keras.initializers.RandomNormal(stddev=0.5, seed=seed)
    for seed, name in enumerate(("kernel_bias", "output_bias", "bias"))
}


def kernels(weights, embedding, inputs):
    """The kernel of each sample, laid out as the paper has it."""
    a = (embedding @ weights["kernel"] + weights["kernel_bias"]).reshape(len(embedding), inputs, -1)
    return a @ weights["output_kernel"] + weights["output_bias"]


class TestHyperDense(OwnLayerContract):
    input_shapes = (((3, 4), (3, 2)), ((2, 3, 4), (2, 3)), ((2, 3, 2, 4), (2, 3)))
    regularized: ClassVar = {name: name for name in ("kernel", "kernel_bias", "output_kernel", "output_bias", "bias")}
    bad_arguments = ({"units": 0}, {"hidden": -2}, {"activation": "nonsense"}, {"use_bias": 1}, *nonsense(*regularized))

    def make_layer(self, **overrides):
        return HyperDense(**{"units": 3, "activation": "relu"} | RANDOM | overrides)

    def expected(self, weights, inputs, *, training):
        features, embedding = inputs
        made = kernels(weights, embedding, features.shape[-1])
        return np.maximum(np.einsum("b...i,biu->b...u", features, made) + weights["bias"], 0)


class TestHyperDenseWithoutBias(OwnLayerContract):
    second_setting = True
    input_shapes = (((3, 4), (3, 2)),)
    regularized: ClassVar = {name: name for name in ("kernel", "kernel_bias", "output_kernel", "output_bias")}
    bad_arguments = ({"hidden": 0}, *TestHyperDense.bad_arguments)

    def make_layer(self, **overrides):
        return HyperDense(**{"units": 2, "hidden": 5, "use_bias": False} | overrides)

    def expected(self, weights, inputs, *, training):
        features, embedding = inputs
        return np.einsum("bi,biu->bu", features, kernels(weights, embedding, 4))


def test_an_argument_that_no_layer_has_is_refused():
    with pytest.raises((ValueError, TypeError), match="kernal_initializer"):
        HyperDense(3, kernal_initializer="zeros")


def test_one_input_is_refused():
    with pytest.raises(RequestError, match=r"two inputs, \[features, embedding\]"):
        HyperDense(3).build((None, 4))


def test_equal_embeddings_make_a_dense_layer():
    layer, generator = HyperDense(3), np.random.default_rng(1)
    features, embedding = generator.normal(size=(5, 4)).astype(np.float32), np.ones((5, 2), np.float32)
    output = keras.ops.convert_to_numpy(layer([features, embedding]))
    weights = {v.name: keras.ops.convert_to_numpy(v) for v in layer.weights}
    np.testing.assert_allclose(output, features @ kernels(weights, embedding, 4)[0], rtol=1e-4, atol=1e-5)
