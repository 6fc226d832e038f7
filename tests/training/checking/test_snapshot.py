"""A snapshot puts everything back: values, what was built, traces, random numbers, and what comes after."""

from __future__ import annotations

import random

import full
import keras
import numpy as np
import pytest
from keras import layers

from weightkit.access.live.handles import as_numpy
from weightkit.training.checking.snapshot import Snapshot
from weightkit.training.checking.verify_training import verify_training

BACKEND = keras.backend.backend()
X = np.random.default_rng(1).standard_normal((8, 4)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 2)).astype("float32")
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "average": lambda: keras.optimizers.Adam(0.01, use_ema=True),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    "several": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01), {".*head.*": keras.optimizers.SGD(0.1)})
    ),
}

ALL = [(optimizer, before, False) for optimizer in OPTIMIZERS for before in (0, 3)]
TRACED = [("adam", 0, False), ("average", 3, False), ("several", 3, False)]
EAGER = [("sgd", 3, True), ("nadam", 0, True), ("accumulation", 3, True), ("scale", 0, True)]
ON_EVERY_BACKEND = ("average", 3, False)  # JAX shares arrays between a weight and its average
MARKS = {ON_EVERY_BACKEND: [pytest.mark.every_backend]}
CASES = [pytest.param(*case, marks=MARKS.get(case, [])) for case in (*TRACED, *EAGER)]


class Counting(layers.Layer):
    """Counts how often Python runs its call: once a trace, or once a step where nothing is traced."""

    runs = 0

    def call(self, x):
        type(self).runs += 1
        return x


def made(optimizer="adam", *, eager=False):
    keras.utils.set_random_seed(3)
    stack = [keras.Input((4,)), layers.Dense(6, name="body"), layers.BatchNormalization(name="norm")]
    model = keras.Sequential([*stack, Counting(), layers.Dropout(0.3, seed=5), layers.Dense(2, name="head")])
    model.compile(OPTIMIZERS[optimizer](), "mse", metrics=["mae"], run_eagerly=eager)
    return model


def state(model):
    variables = (*model.variables, *model.metrics_variables, *model.optimizer.variables)
    return [as_numpy(variable._value).copy() for variable in variables]


def same(first, second):
    return len(first) == len(second) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True)
    )


def trained(model, steps=2):
    return [model.train_on_batch(X, Y) for _ in range(steps)], state(model)


@pytest.mark.parametrize(("optimizer", "before", "eager"), ALL if full.enabled else CASES)
def test_training_goes_on_as_if_nothing_had_been(optimizer, before, eager):
    plain, proved = made(optimizer, eager=eager), made(optimizer, eager=eager)
    for model in (plain, proved):
        trained(model, before)
    kept, function = state(proved), proved.train_function
    assert verify_training(proved, data=(X, Y)).ok
    assert same(kept, state(proved))
    assert proved.train_function is function
    first, second = trained(plain), trained(proved)
    assert np.array_equal(first[0], second[0])
    assert same(first[1], second[1])


def test_what_was_not_built_is_not_built_afterwards():
    model = made()
    verify_training(model, data=(X, Y))
    assert not model.optimizer.built
    assert len(model.optimizer.variables) == 2
    assert not model._compile_metrics.built
    assert model.train_function is None
    model.get_layer("body").trainable = False
    trained(model)  # an optimizer that was built on all weights would not take fewer


@pytest.mark.parametrize("rows", [pytest.param(8, marks=pytest.mark.every_backend), 5])
def test_the_next_fit_traces_nothing_anew(rows):
    model = made()
    model.fit(X, Y, batch_size=8, verbose=0)
    verify_training(model, data=(X[:rows], Y[:rows]))
    Counting.runs = 0
    model.fit(X, Y, batch_size=8, verbose=0)
    assert Counting.runs == (1 if BACKEND == "torch" else 0)


@pytest.mark.every_backend
def test_a_fit_of_averages_can_be_verified_and_goes_on_where_jax_shares_arrays():
    model = made("average")
    model.fit(X, Y, verbose=0)
    assert verify_training(model, data=(X, Y)).ok
    model.fit(X, Y, verbose=0)


def test_metrics_keep_what_they_have_counted():
    model = made(eager=True)
    model.train_on_batch(X, Y)
    before = model.get_metrics_result()
    verify_training(model, data=(X, Y))
    assert {name: float(value) for name, value in model.get_metrics_result().items()} == {
        name: float(value) for name, value in before.items()
    }


def drawn():
    """Whatever a user's data may draw from: Python's, NumPy's and Keras' global generators."""
    return random.random(), np.random.rand(), as_numpy(keras.random.normal((2,))).tolist()  # noqa: S311, NPY002


def test_random_numbers_go_on_as_if_nothing_had_been():
    model = made(eager=True)
    keras.utils.set_random_seed(7)
    expected = drawn()
    keras.utils.set_random_seed(7)
    with Snapshot(model):
        drawn()
        trained(model)
    assert drawn() == expected


def test_a_step_that_fails_halfway_leaves_nothing_changed():
    model = made(eager=True)
    trained(model)
    kept = state(model)

    def fail():
        with Snapshot(model):
            trained(model, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert same(kept, state(model))


def test_the_model_saves_and_loads_after_a_proof(tmp_path):
    model = made(eager=True)
    trained(model)
    verify_training(model, data=(X, Y))
    model.save_weights(tmp_path / "a.weights.h5")
    kept = [value.copy() for value in model.get_weights()]
    trained(model)
    model.load_weights(tmp_path / "a.weights.h5")
    assert same(kept, model.get_weights())
