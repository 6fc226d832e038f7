"""StochasticDepth: a residual branch that is left out now and then while training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract

from weightkit.errors import RequestError
from weightkit.layers import StochasticDepth
from weightkit.testing.layer.exemptions import Exemption

DRAWS = Exemption("stochastic", "which samples are left out is drawn in training")


class TestStochasticDepth(OwnLayerContract):
    input_shapes = ((16, 4), (16, 3, 4), (16, 3, 2, 4), (16, 2, 2, 2, 3))
    known_axes = ()
    exemptions = (DRAWS,)
    bad_arguments = ({"rate": 1}, {"rate": -0.1}, {"per": "layer"}, {"seed": 1.5})

    def make_layer(self, **overrides):
        return StochasticDepth(**{"rate": 0.5, "seed": 5} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_the_expectation_is_the_input(per):
    layer, inputs = StochasticDepth(0.3, per=per, seed=1), np.ones((20, 2), np.float32)
    outputs = [keras.ops.convert_to_numpy(layer(inputs, training=True)) for _ in range(300)]
    assert np.mean(outputs) == pytest.approx(1, abs=0.1)
    assert np.mean(np.equal(outputs, 0)) == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize(("per", "kinds"), [("sample", 2), ("batch", 1)])
def test_a_sample_or_a_batch_is_left_out_as_a_whole(per, kinds):
    layer, inputs = StochasticDepth(0.5, per=per, seed=1), np.ones((64, 2, 3), np.float32)
    for _ in range(5):
        output = np.asarray(keras.ops.convert_to_numpy(layer(inputs, training=True)))
        assert (output == output[:, :1, :1]).all()
        assert len(np.unique(output)) == kinds


def test_rates_grow_linearly_with_depth():
    assert [StochasticDepth.linear(block, 5) for block in range(1, 6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    with pytest.raises(RequestError, match=r"block must be .*, got 6"):
        StochasticDepth.linear(6, 5)


def test_infinite_numbers_that_are_left_out_are_zero():
    layer = StochasticDepth(0.5, seed=1)
    output = keras.ops.convert_to_numpy(layer(np.full((100, 1), np.inf, np.float32), training=True))
    assert not np.isnan(output).any()
