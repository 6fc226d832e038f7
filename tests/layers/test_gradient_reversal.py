"""GradientReversal: the identity, whose gradient is turned round on the way back."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract

from weightkit.errors import RequestError
from weightkit.layers import GradientReversal
from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import Exemption

REVERSED = Exemption("gradient=reversed", "turning the gradient round is what the layer is for")


class TestGradientReversal(OwnLayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 3))
    known_axes = ()
    exemptions = (REVERSED,)
    gradient_factor = 0.5
    bad_arguments = ({"factor": -1}, {"factor": float("inf")}, {"factor": "much"})

    def make_layer(self, **overrides):
        return GradientReversal(**{"factor": 0.5} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs


def gradient(layer, inputs, cotangent):
    (found,), _ = backends.gradients(layer, [inputs], cotangent, lambda one: one[0], training=True)
    return found


@pytest.mark.every_backend
def test_the_gradient_is_minus_the_factor_times_what_comes_back():
    layer = GradientReversal(0.25)
    inputs, cotangent = np.ones((2, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    layer(inputs)
    np.testing.assert_array_equal(gradient(layer, inputs, cotangent), -0.25 * cotangent)
    layer.factor.assign(2.0)
    np.testing.assert_array_equal(gradient(layer, inputs, cotangent), -2 * cotangent)


@pytest.mark.every_backend
def test_the_output_is_the_input_bit_for_bit():
    inputs = np.array([[1e-40, 1e38, -0.0, np.inf, 0.1]], np.float32)
    output = keras.ops.convert_to_numpy(GradientReversal(3.7)(inputs))
    assert np.asarray(output).tobytes() == inputs.tobytes()


def test_the_factor_grows_from_zero_to_one_as_in_the_paper():
    factors = [GradientReversal.annealed(step / 10) for step in range(11)]
    assert factors == sorted(factors)
    assert factors[0] == 0
    assert factors[-1] == pytest.approx(np.tanh(5))


@pytest.mark.parametrize("progress", [-0.1, 1.1])
def test_a_progress_outside_the_training_is_refused(progress):
    with pytest.raises(RequestError, match=f"progress must be .*, got {progress}"):
        GradientReversal.annealed(progress)
