"""What is trained after a model with computed weights is loaded, and where its variables are for Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import array

from weightkit.errors import RequestError
from weightkit.layers import LoRA, LowRank, Parametrized, WeightNorm, WeightNormalization, parametrize
from weightkit.training import freeze, freeze_all_but

X, Y = np.ones((2, 3, 4), np.float32), np.ones((2, 3, 1), np.float32)


def attention():
    inputs = keras.Input((3, 4))
    hidden = keras.layers.MultiHeadAttention(2, 2, name="mha")(inputs, inputs)
    norm = keras.layers.BatchNormalization(name="norm")
    hidden = keras.layers.TimeDistributed(keras.Sequential([keras.Input((4,)), norm]), name="each")(hidden)
    hidden = keras.layers.Dense(4, name="body")(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(hidden))


RUNS = {
    "factors": (lambda model: freeze_all_but(model, "role:lora")),
    "factors_and_biases": (lambda model: freeze_all_but(model, ["role:lora", "mha/**/bias", "body/**/bias"])),
    "one_factor": (lambda model: freeze(model, "**/lora_kernel_a")),
    "statistics": (lambda model: freeze(model, "each")),
}


@pytest.mark.every_backend
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_run_is_resumed_with_the_same_trained_weights_and_optimizer(run, tmp_path):
    model = parametrize(attention(), ["mha/query", "body"], LowRank(2))
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    run(model)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    for one in (model, loaded):
        one.fit(X, Y, verbose=0)
    assert [v.path for v in loaded.trainable_variables] == [v.path for v in model.trainable_variables]
    for ours, theirs in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(array(ours), array(theirs))
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(array(ours), array(theirs))


def test_flags_as_they_are_built_are_not_in_the_configuration():
    layer = LoRA(keras.layers.Dense(3), 2)
    layer.build((None, 4))
    assert "flags" not in layer.get_config()
    layer.layer.bias.trainable = False
    copy = Parametrized.from_config(layer.get_config())
    copy.build((None, 4))
    assert [one.trainable for one in copy.variables] == [one.trainable for one in layer.variables]
    assert copy.get_config()["flags"] == layer.get_config()["flags"]


@pytest.mark.parametrize("flags", [3, {"variables": [True]}, {"variables": [True], "layers": [True]}])
def test_flags_of_another_layer_are_refused(flags):
    with pytest.raises(RequestError, match="flags must be"):
        Parametrized(keras.layers.Dense(3), kernel=LowRank(2), flags=flags).build((None, 4))


LAYERS = {
    "dense": lambda: keras.layers.Dense(3, name="body"),
    "recurrent": lambda: keras.layers.LSTM(3, name="body"),
    "two_directions": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3, name="q"), name="body"),
    "attention": lambda: keras.layers.GroupQueryAttention(2, 2, 2, name="body"),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("wrap", [lambda x: LoRA(x, 2), lambda x: LoRA(WeightNormalization(x), 2)], ids=["one", "two"])
def test_the_weights_of_a_wrapped_layer_keep_the_paths_that_layouts_and_optimizers_name(make, wrap):
    plain, wrapped = make(), wrap(make())
    shapes = [(2, 3, 4)] * 2 if isinstance(plain, keras.layers.GroupQueryAttention) else [(2, 3, 4)]
    for layer in (plain, wrapped):
        layer(*(keras.ops.ones(shape) for shape in shapes))
    assert {v.path for v in plain.weights} <= {v.path for v in wrapped.weights}
    assert len({v.path for v in wrapped.weights}) == len(wrapped.weights)


@pytest.mark.parametrize("parametrization", [WeightNorm(), LowRank(2)], ids=["norm", "low_rank"])
def test_exact_keys_of_layouts_and_optimizers_match_a_parametrized_kernel(parametrization):
    inputs, make = keras.Input((4,)), keras.optimizers
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(keras.layers.Dense(4, name="body")(inputs)))
    made = parametrize(model, "body/kernel", parametrization)
    kernel = next(v for v in made.variables if v.path == "body/kernel")
    mesh = keras.distribution.DeviceMesh((1, 1), ["batch", "model"], devices=["cpu:0"])
    layouts = keras.distribution.LayoutMap(mesh)
    layouts["body/kernel"] = (None, "model")
    parallel = keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
    assert parallel.get_variable_layout(kernel).axes == (None, "model")
    known = make.OptimizerMap(make.Adam(), {"body/kernel": make.SGD()})
    made.compile(make.MultiOptimizer(known), "mse")
    made.optimizer.build(made.trainable_variables)
    assert [v.path for v in made.optimizer.optimizers[0]._trainable_variables] == ["body/kernel"] * kernel.trainable
