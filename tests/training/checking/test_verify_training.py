"""What `verify` proves, what it finds, and that a model is afterwards what it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from weightkit.errors import RequestError
from weightkit.training import freeze
from weightkit.training.checking.verify_training import verify_training

sys.path.insert(0, str(Path(__file__).parents[2] / "end_to_end"))
import models

BACKEND = keras.backend.backend()
X = np.random.default_rng(1).standard_normal((8, 4)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 2)).astype("float32")


def dense(optimizer="sgd", **options):
    stack = [keras.Input((4,)), layers.Dense(3, name="body"), layers.BatchNormalization(name="norm")]
    model = keras.Sequential([*stack, layers.Dense(2, name="head")], name="small")
    model.compile(optimizer, "mse", **options)
    return model


def verdicts(proof):
    return {weight.path: (weight.expected, weight.verdict) for weight in proof.weights}


def test_a_model_that_trains_everything_is_as_meant():
    proof = verify_training(dense(), data=(X, Y))
    assert proof.ok
    assert bool(proof)
    assert {weight.gradient for weight in proof.weights} <= {"flows", "zero", ""}
    assert verdicts(proof)["norm/moving_mean"] == ("updated", "ok")


@pytest.mark.every_backend
def test_a_frozen_layer_is_as_meant_and_its_weights_do_not_change():
    model = dense()
    model.get_layer("body").trainable = False
    model.get_layer("norm").trainable = False
    proof = verify_training(model, data=(X, Y))
    assert proof.ok
    assert {w.path for w in proof.weights if w.changed} == {"head/kernel", "head/bias"}
    assert verdicts(proof)["norm/moving_mean"] == ("frozen", "ok")


def test_data_in_the_place_of_the_plan_is_refused_and_says_where_it_goes():
    with pytest.raises(RequestError, match=r"got tuple — give the training data as data=\(x, y\)"):
        verify_training(dense(), (X, Y))


@pytest.mark.every_backend
def test_a_flag_that_was_changed_after_a_fit_fails():
    model = dense()
    model.fit(X, Y, verbose=0)
    model.get_layer("body").trainable = False
    proof = verify_training(model, data=(X, Y))
    assert not proof.ok
    assert any("stale flags" in failure for failure in proof.failures)
    with pytest.raises(RequestError, match="stale flags"):
        proof.raise_if_failed()


@pytest.mark.every_backend
def test_what_was_frozen_after_a_fit_and_is_trained_all_the_same_is_seen_by_the_step_itself():
    model = dense()
    model.train_on_batch(X, Y)
    model.get_layer("body").trainable = False
    proof = verify_training(model, data=(X, Y))
    assert not proof.ok
    told = {"tensorflow": ("frozen", "failed"), "torch": ("frozen", "ok"), "jax": None}  # JAX raises in the step
    assert verdicts(proof).get("body/kernel") == told[BACKEND]


class Idle(layers.Layer):
    """Has a weight that its output does not depend on."""

    def build(self, shape):
        self.used = self.add_weight(shape=(), initializer="ones", name="used")
        self.unused = self.add_weight(shape=(), initializer="ones", name="unused")
        self.stopped = self.add_weight(shape=(), initializer="ones", name="stopped")
        self.zeroed = self.add_weight(shape=(), initializer="ones", name="zeroed")

    def call(self, x):
        return x * self.used + keras.ops.stop_gradient(self.stopped * x) + self.zeroed * (x - x)


@pytest.mark.every_backend
def test_a_weight_that_the_loss_does_not_depend_on_fails_and_a_zero_gradient_is_a_warning():
    model = keras.Sequential([keras.Input((4,)), Idle(name="idle"), layers.Dense(2, name="head")])
    model.compile("sgd", "mse")
    found = verdicts(verify_training(model, data=(X, Y)))
    assert found["idle/used"] == ("trained", "ok")
    assert found["idle/unused"] == ("trained", "failed")
    assert found["idle/stopped"] == ("trained", "failed")
    assert found["idle/zeroed"] == ("trained", "warning")


@pytest.mark.every_backend
def test_loras_first_matrix_has_a_zero_gradient_at_its_first_step_and_that_is_no_failure():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="body")])
    model.layers[0].enable_lora(2)
    model.compile("sgd", "mse")
    proof = verify_training(model, data=(X, Y))
    assert proof.ok
    assert verdicts(proof)["body/lora_kernel_a"] == ("trained", "warning")
    assert verdicts(proof)["body/kernel"] == ("frozen", "ok")


def test_accumulated_gradients_are_waited_for():
    proof = verify_training(dense(keras.optimizers.SGD(0.1, gradient_accumulation_steps=3)), data=(X, Y))
    assert proof.ok
    assert next(weight for weight in proof.weights if weight.path == "head/kernel").changed


def test_a_learning_rate_of_zero_is_noted():
    proof = verify_training(dense(keras.optimizers.SGD(0.0)), data=(X, Y))
    assert proof.ok
    assert "learning rate zero" in str(proof)


def test_a_model_that_is_frozen_whole_is_noted():
    model = dense()
    model.trainable = False
    proof = verify_training(model, data=(X, Y))
    assert proof.ok
    assert "everything is frozen" in str(proof)


def batches():
    yield X, Y


class Steps(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, Y


@pytest.mark.parametrize(
    "data",
    [None, (X, Y), [X, Y, np.ones(8, "float32")], {"x": X, "y": Y}, batches, Steps],
    ids=["none", "pair", "weighted", "named", "generator", "dataset"],
)
def test_data_is_taken_in_any_form_that_fit_takes(data):
    assert verify_training(dense(), data=data() if callable(data) else data).ok


LOSSES = [
    "mse", "mean_absolute_error", "huber", "log_cosh", keras.losses.BinaryCrossentropy(),
    keras.losses.categorical_crossentropy, "sparse_categorical_crossentropy",
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_random_data_fits_the_losses_on_the_list(loss):
    start = keras.Input((4,))
    model = keras.Model(start, layers.Dense(3, activation="softmax", name="head")(start))
    model.compile("sgd", loss)
    assert verify_training(model).ok


def test_random_data_fits_token_inputs_lengths_that_vary_and_several_outputs():
    start = keras.Input((None,), dtype="int32")
    x = layers.Embedding(3, 4, name="words")(start)
    model = keras.Model(start, [layers.Dense(2, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", ["mse", "mae"])
    assert verify_training(model).ok


def test_an_unknown_loss_asks_for_data():
    model = dense()
    model.compile("sgd", lambda y, p: keras.ops.mean((y - p) ** 2))
    with pytest.raises(RequestError, match="pass data="):
        verify_training(model)
    assert verify_training(model, data=(X, Y)).ok


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(RequestError, match="must be compiled"):
        verify_training(models.sequential(), data=(X, Y))


def test_data_that_does_not_fit_is_refused_and_the_model_is_what_it_was():
    model = dense()
    before = [value.copy() for value in model.get_weights()]
    with pytest.raises(RequestError, match="the training step failed"):
        verify_training(model, data=(X[:, :3], Y))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not model.optimizer.built


def test_a_proof_prints_is_json_and_shows_in_notebooks():
    model = dense()
    model.get_layer("body").trainable = False
    proof = verify_training(model, data=(X, Y))
    assert str(proof) == "Sequential 'small': as expected (4 trained, 2 frozen, 2 updated)"
    record = json.loads(json.dumps(proof.to_dict()))
    assert record["ok"]
    assert len(record["weights"]) == 8
    assert "<td>frozen</td>" in proof._repr_html_()


def test_a_plan_that_was_done_is_as_meant_after_training_too():
    model = dense()
    plan = freeze(model, "body")
    model.fit(X, Y, verbose=0)
    proof = verify_training(model, plan, (X, Y))
    assert proof.ok
    assert verdicts(proof)["body/kernel"] == ("frozen", "ok")


@pytest.mark.parametrize("statistics", ["freeze", "update"])
def test_a_plans_policy_for_statistics_is_held_to(statistics):
    model = dense()
    plan = freeze(model, "norm", statistics=statistics)
    assert verify_training(model, plan, (X, Y)).ok
    norm = model.get_layer("norm")
    norm._trainable = not norm._trainable
    assert any("statistics" in failure for failure in verify_training(model, plan, (X, Y)).failures)


def test_flags_that_are_not_those_of_the_plan_fail():
    model = dense()
    plan = freeze(model, "body")
    model.get_layer("body").trainable = True
    model.get_layer("head").bias.trainable = False
    failures = " ".join(verify_training(model, plan, (X, Y)).failures)
    assert "body/kernel, body/bias: frozen in the plan" in failures
    assert "head/bias: trained in the plan" in failures


def test_a_plan_of_another_model_is_refused():
    plan = freeze(models.embedding(), "words")
    with pytest.raises(RequestError, match="the plan was made on"):
        verify_training(dense(), plan, (X, Y))
