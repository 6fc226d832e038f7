"""CosineDense: cosines between the input and each output's vector, with a margin where wanted."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.errors import RequestError
from weightkit.layers import CosineDense


def cosines(weights, features):
    kernel = weights["kernel"] / np.linalg.norm(weights["kernel"], axis=0)
    return features / np.linalg.norm(features, axis=-1, keepdims=True) @ kernel


class TestCosineDense(OwnLayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 2, 2, 3))
    bad_arguments = ({"units": 0}, {"scale": 0}, {"margin": -0.1}, *nonsense("kernel"))

    def make_layer(self, **overrides):
        return CosineDense(**{"units": 3, "scale": 8.0} | overrides)

    def expected(self, weights, inputs, *, training):
        return 8 * cosines(weights, inputs)


class TestCosineDenseWithMargin(OwnLayerContract):
    second_setting = True
    input_shapes = (((3, 4), (3,)), ((2, 3, 4), (2, 3)))
    bad_arguments = ({"margin": float("nan")}, *TestCosineDense.bad_arguments)

    def make_layer(self, **overrides):
        return CosineDense(**{"units": 3, "scale": 8.0, "margin": 0.35} | overrides)

    def make_inputs(self, shape, seed=0):
        generator = np.random.default_rng(seed)
        return [generator.normal(size=shape[0]).astype(np.float32), generator.integers(0, 3, shape[1]).astype(np.int32)]

    def expected(self, weights, inputs, *, training):
        features, labels = inputs
        return 8 * (cosines(weights, features) - (0.35 * np.eye(3)[labels] if training else 0))

    def _partly_unknown(self, shape):
        return super()._partly_unknown(shape) if shape[-1] == 4 else (None,) * (len(shape) - 1)


def test_lengths_play_no_part():
    layer, inputs = CosineDense(3), np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    output = keras.ops.convert_to_numpy(layer(inputs))
    layer.kernel.assign(layer.kernel * 7.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(inputs * 1000)), output, rtol=1e-5, atol=1e-6)
    assert np.abs(output).max() <= 1 + 1e-6


def test_zeros_give_zeros():
    assert not np.any(keras.ops.convert_to_numpy(CosineDense(3)(np.zeros((2, 4), np.float32))))


def test_a_label_outside_gets_no_margin():
    layer, inputs = CosineDense(3, margin=0.35), np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    labels = np.array([-1, 3, 1], np.int32)
    plain, trained = (keras.ops.convert_to_numpy(layer([inputs, labels], training=mode)) for mode in (False, True))
    np.testing.assert_allclose(plain - trained, [[0, 0, 0], [0, 0, 0], [0, 0.35, 0]], atol=1e-6)


@pytest.mark.parametrize(("margin", "shape"), [(0.0, [(None, 4), (None,)]), (0.2, (None, 4))])
def test_labels_that_are_missing_or_too_many_are_refused(margin, shape):
    with pytest.raises(RequestError, match=f"margin={margin} must be"):
        CosineDense(3, margin=margin).build(shape)
