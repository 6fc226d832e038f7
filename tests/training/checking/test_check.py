"""What `check_model` finds is so, and what is as it should be is left in peace."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from weightkit.errors import RequestError
from weightkit.training.checking.check import check_model

sys.path.insert(0, str(Path(__file__).parents[2] / "end_to_end"))
import models

ORDINARY = [
    models.sequential, models.nested, models.shared, models.subclassed, models.recurrent, models.attention,
    models.convolutional, models.normalization, models.embedding, models.custom, models.low_rank, models.quantized,
]  # fmt: skip
X, Y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")


def dense(*, optimizer=None):
    stack = [keras.Input((4,)), layers.Dense(3, name="body"), layers.Dense(2, name="head")]
    model = keras.Sequential(stack, name="small")
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mse")
    return model


def with_norm():
    stack = [keras.Input((4,)), layers.Dense(4), layers.BatchNormalization(name="norm"), layers.Dense(2)]
    return keras.Sequential(stack, name="small")


def found(model):
    return [finding.what for finding in check_model(model).findings]


def one(model):
    [finding] = check_model(model).findings
    return finding


@pytest.mark.parametrize("make", ORDINARY)
def test_an_ordinary_model_is_left_in_peace(make):
    model = make()
    assert found(model) == []
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    assert found(model) == []


@pytest.mark.parametrize("optimizer", ["adam", "accumulating", "averaging", "scaling"])
def test_a_model_that_was_trained_is_left_in_peace(optimizer):
    made = {
        "adam": keras.optimizers.Adam,
        "accumulating": lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
        "averaging": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2),
        "scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    }[optimizer]()
    model = dense(optimizer=made)
    model.fit(X, Y, verbose=0)
    assert found(model) == []


def test_a_model_frozen_before_it_was_compiled_is_left_in_peace():
    model = with_norm()
    model.get_layer("norm").trainable = False
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    assert found(model) == []


def test_two_recurrent_layers_with_open_forget_gates_are_left_in_peace():
    start = keras.Input((5, 4))
    hidden = layers.LSTM(4, return_sequences=True)(start)
    assert found(keras.Model(start, layers.LSTM(4)(hidden))) == []


@pytest.mark.every_backend
def test_what_was_frozen_after_a_fit_is_found():
    model = dense()
    model.fit(X, Y, verbose=0)
    model.get_layer("body").trainable = False
    finding = one(model)
    assert finding.what == "stale flags"
    assert finding.weights == ("body/kernel", "body/bias")
    assert "recompile" in finding.hint


@pytest.mark.every_backend
def test_what_was_unfrozen_after_a_fit_is_found():
    model = dense()
    model.get_layer("body").trainable = False
    model.fit(X, Y, verbose=0)
    model.get_layer("body").trainable = True
    finding = one(model)
    assert (finding.what, finding.weights) == ("stale flags", ("body/kernel", "body/bias"))
    assert "unknown to the optimizer" in finding.problem


@pytest.mark.every_backend
@pytest.mark.parametrize("steps", [None, 2])
def test_what_was_unfrozen_after_it_was_traced_frozen_is_found_where_keras_traces(steps):
    model = dense(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=steps))
    model.optimizer.build(model.trainable_variables)
    model.get_layer("body").trainable = False
    try:
        model.fit(X, Y, verbose=0)
    except ValueError:
        assert keras.backend.backend() == "jax"  # it asks for all gradients
        return
    model.get_layer("body").trainable = True
    assert found(model) == (["stale flags"] if keras.backend.backend() == "tensorflow" else [])


def test_a_change_before_the_first_fit_is_no_finding_since_nothing_is_built_yet():
    model = dense()
    model.get_layer("body").trainable = False
    assert found(model) == []


def test_a_trainable_layer_in_a_frozen_one_is_found():
    model = models.nested()
    inner = model.get_layer("inner")
    inner.trainable = False
    inner.get_layer("deep").trainable = True
    finding = one(model)
    assert finding.what == "trainable below frozen"
    assert finding.weights == ("inner/deep/kernel", "inner/deep/bias")


def test_statistics_that_drift_in_a_frozen_layer_are_found():
    inner = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(center=False, scale=False)], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)])
    inner.trainable = False
    assert found(model) == []
    inner.layers[0].trainable = True
    assert one(model).what == "trainable below frozen"


def test_batch_normalization_that_is_frozen_by_its_variables_is_found():
    model = with_norm()
    for variable in model.get_layer("norm").trainable_variables:
        variable.trainable = False
    finding = one(model)
    assert (finding.what, finding.weights) == ("half-frozen statistics", ("norm",))


def test_weights_made_by_one_initializer_object_are_found():
    shared = keras.initializers.GlorotUniform()
    stack = [layers.Dense(4, kernel_initializer=shared, name=name) for name in "abc"]
    finding = one(keras.Sequential([keras.Input((4,)), *stack]))
    assert (finding.what, finding.weights) == ("equal weights", ("a/kernel", "b/kernel", "c/kernel"))
    assert "reinitialize" in finding.hint


def test_weights_that_differ_late_are_no_finding():
    model = keras.Sequential([keras.Input((16,)), layers.Dense(16), layers.Dense(16)])
    kernel = np.arange(256, dtype="float32").reshape(16, 16)
    model.layers[0].kernel.assign(kernel.copy())
    kernel[-1, -1] = 0
    model.layers[1].kernel.assign(kernel.copy())
    assert found(model) == []


def test_variables_that_share_a_path_are_found():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d")], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(4, name="e")])
    assert found(model) == []
    model.layers[1].bias._path = model.layers[1].kernel.path
    assert one(model).weights == ("e/kernel", "e/bias")


def test_an_optimizer_of_other_variables_is_found():
    model, other = dense(), dense()
    model.optimizer.build([*model.trainable_variables, *other.trainable_variables])
    finding = one(model)
    assert finding.what == "stray optimizer state"
    assert len(finding.weights) == 4


def test_a_pattern_that_matches_nothing_is_found():
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5), {"head": keras.optimizers.SGD(0.1)})
    finding = one(dense(optimizer=keras.optimizers.MultiOptimizer(chosen)))
    assert (finding.what, finding.weights) == ("idle pattern", ("head",))
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5), {".*/head/.*": keras.optimizers.SGD(0.1)})
    assert found(dense(optimizer=keras.optimizers.MultiOptimizer(chosen))) == []


def test_a_check_changes_nothing():
    model = dense()
    model.fit(X, Y, verbose=0)
    function, before = model.train_function, [np.array(value) for value in model.get_weights()]
    check_model(model)
    assert model.train_function is function
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_findings_print_are_json_and_show_in_notebooks():
    model = with_norm()
    model.get_layer("norm").gamma.trainable = False
    report = check_model(model)
    assert not report
    assert str(report).splitlines()[1].startswith("  half-frozen statistics: norm: gamma or beta is frozen")
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["weights"] == ["norm"]
    assert "<td>half-frozen statistics</td>" in report._repr_html_()
    assert str(check_model(models.sequential())) == "Sequential 'model': nothing found"


def test_a_model_without_weights_yet_is_refused():
    with pytest.raises(RequestError, match="has not been built"):
        check_model(keras.Sequential([layers.Dense(2)]))
