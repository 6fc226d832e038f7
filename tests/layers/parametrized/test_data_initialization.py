"""initialize_from_data: lengths and biases of weight-normalized layers from a batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import array, numbers

from weightkit.errors import RequestError
from weightkit.layers import LoRA, Parametrized, WeightNorm, WeightNormalization, initialize_from_data


def network():
    layers = keras.layers
    shape, order = ((6, 6, 2), "channels_last") if keras.backend.backend() == "tensorflow" else ((2, 6, 6), None)
    order = order or "channels_first"
    inputs = keras.Input(shape)
    conv = WeightNormalization(layers.Conv2D(3, 3, activation="relu", data_format=order, name="conv"))
    dense = WeightNormalization(layers.Dense(4, "tanh", name="dense"))
    hidden = layers.Dropout(0.5)(conv(inputs))
    return keras.Model(inputs, dense(layers.Flatten()(hidden))), shape


def standardized(kernel, rows):
    """Section 3: ``t = v x / ||v||``, then ``g = 1 / sigma[t]`` and ``b = -mu[t] / sigma[t]``."""
    t = rows @ (kernel / np.linalg.norm(kernel, axis=0))
    return 1 / t.std(0), -t.mean(0) / t.std(0), (t - t.mean(0)) / t.std(0)


def lengths_of(layer):
    return array(layer.computed[0].steps[0][1]["g"].variable.value).ravel()


@pytest.mark.every_backend
def test_the_batch_has_mean_0_and_variance_1_before_each_activation():
    model, shape = network()
    data = 3 * numbers(16, *shape) + 1
    conv, dense = model.get_layer("conv"), model.get_layer("dense")
    initialize_from_data(model, data)
    channels_last = data if shape[-1] == 2 else np.moveaxis(data, 1, -1)
    windows = np.lib.stride_tricks.sliding_window_view(channels_last, (3, 3), (1, 2))  # (16, 4, 4, 2, 3, 3)
    rows = np.moveaxis(windows, 3, -1).reshape(-1, 18).astype("float64")
    lengths, bias, outputs = standardized(array(conv.layer.kernel.value).reshape(18, 3), rows)
    np.testing.assert_allclose(lengths_of(conv), lengths, rtol=1e-4)
    np.testing.assert_allclose(array(conv.layer.bias.value), bias, rtol=1e-4, atol=1e-5)
    hidden = np.maximum(outputs, 0).reshape(16, 4, 4, 3)
    hidden = (hidden if shape[-1] == 2 else np.moveaxis(hidden, -1, 1)).reshape(16, -1)
    lengths, bias, outputs = standardized(array(dense.layer.kernel.value), hidden)
    np.testing.assert_allclose(lengths_of(dense), lengths, rtol=1e-4)
    np.testing.assert_allclose(array(dense.layer.bias.value), bias, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(array(model(data)), np.tanh(outputs), atol=1e-4)
    assert (conv.layer.activation, "call" in vars(conv)) == (keras.activations.relu, False)


def sequence(*layers):
    return keras.Sequential([keras.Input((3,)), *layers], name="model")


REFUSED = {
    "none": (lambda: sequence(LoRA(keras.layers.Dense(2), 1)), 4, "must be built and have layers with WeightNorm"),
    "no bias": (lambda: sequence(WeightNormalization(keras.layers.Dense(2, use_bias=False))), 4, "have one weight"),
    "others": (
        lambda: sequence(Parametrized(keras.layers.Dense(2, name="d"), kernel=[WeightNorm(), WeightNorm()])), 4,
        "d must have one weight with WeightNorm alone",
    ),
    "one row": (
        lambda: sequence(
            keras.layers.Dense(3), WeightNormalization(keras.layers.Dense(2, name="d"))
        ), 1, "d: each output must .* differ within the batch, and output 0 does not — give a larger batch",
    ),
    "dead": (
        lambda: sequence(
            WeightNormalization(keras.layers.Dense(2)),
            keras.layers.ReLU(max_value=0.0),
            WeightNormalization(keras.layers.Dense(2, name="d")),
        ), 4, "d: each output must",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_initialized_is_refused_and_nothing_changes(case):
    make, count, problem = case
    model = make()
    before = model.get_weights()
    with pytest.raises(RequestError, match=problem) as raised:
        initialize_from_data(model, numbers(count, 3))
    assert "\n" not in str(raised.value)
    assert all((one == two).all() for one, two in zip(model.get_weights(), before, strict=True))
    assert not any("call" in vars(layer) for layer in model.layers)
    with pytest.raises(RequestError, match="model must be a model or a layer, got None"):
        initialize_from_data(None, numbers(4, 3))
