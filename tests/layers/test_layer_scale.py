"""LayerScale: a learned factor for each channel."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract

from weightkit.errors import RequestError
from weightkit.layers import LayerScale


class TestLayerScale(OwnLayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 3))
    bad_arguments = (
        {"axis": 7},
        {"axis": 0},
        {"scale_initializer": "nonsense"},
        {"scale_regularizer": "nonsense"},
        {"scale_constraint": 3},
    )

    def make_layer(self, **overrides):
        return LayerScale(**{"scale_initializer": 0.3} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs * weights["scale"]


class TestLayerScaleOfTwoAxes(OwnLayerContract):
    second_setting = True
    input_shapes = ((2, 3, 5, 4),)
    known_axes = (1, 3)
    bad_arguments = ({"axis": (1, 1)}, {"axis": ()}, *TestLayerScale.bad_arguments)

    def make_layer(self, **overrides):
        return LayerScale(**{"axis": (3, 1), "scale_initializer": keras.initializers.RandomNormal(seed=1)} | overrides)

    def expected(self, weights, inputs, *, training):
        return np.einsum("bhwc,hc->bhwc", inputs, weights["scale"])


def test_a_residual_branch_begins_as_next_to_nothing():
    inputs = np.ones((1, 4), np.float32)
    assert np.abs(keras.ops.convert_to_numpy(LayerScale()(inputs))).max() <= 1e-5


def test_an_axis_of_unknown_size_is_refused_with_the_shape():
    with pytest.raises(RequestError, match=r"axis 1, which is None in \(None, None, 4\)"):
        LayerScale(axis=1)(keras.Input((None, 4)))
