"""What `verify_training` gives to train steps of the user's own: the data in the form that `fit` gives it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from weightkit.training import freeze, verify_training

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(1, keepdims=True) + 9
NAMED = {"image": X, "label": Y}


class Custom(keras.Model):
    """A train step as Keras' guides write it, with a metric of its own; ``seen`` is what it gets."""

    seen = ()

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.mean_loss = keras.metrics.Mean(name="mean_loss")

    @property
    def metrics(self):
        return [self.mean_loss]

    def unpacked(self, data):
        Custom.seen += (data,)
        x, y = data
        return x, y

    def loss_of(self, data, outputs=None):
        x, y = self.unpacked(data)
        return keras.ops.mean((y - (self(x, training=True) if outputs is None else outputs)) ** 2)

    if BACKEND == "tensorflow":

        def train_step(self, data):
            import tensorflow as tf  # noqa: PLC0415

            with tf.GradientTape() as tape:
                loss = self.loss_of(data)
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            self.mean_loss.update_state(loss)
            return {"mean_loss": self.mean_loss.result()}

    elif BACKEND == "jax":

        def train_step(self, state, data):
            import jax  # noqa: PLC0415

            trained, others, slots, metrics = state

            def loss_of(trained, others):
                outputs, others = self.stateless_call(trained, others, self.unpacked(data)[0], training=True)
                return self.loss_of(data, outputs), others

            (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(trained, others)
            trained, slots = self.optimizer.stateless_apply(slots, gradients, trained)
            metrics = self.mean_loss.stateless_update_state(metrics, loss)
            return {"mean_loss": self.mean_loss.stateless_result(metrics)}, (trained, others, slots, metrics)

    else:

        def train_step(self, data):
            import torch  # noqa: PLC0415

            self.zero_grad()
            loss = self.loss_of(data)
            loss.backward()
            variables = self.trainable_weights
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in variables], variables)
            self.mean_loss.update_state(loss)
            return {"mean_loss": self.mean_loss.result()}


class Named(Custom):
    """Takes the elements of a dataset of dictionaries."""

    def unpacked(self, data):
        return data["image"], data["label"]


def custom(kind=Custom):
    Custom.seen = ()
    inputs = keras.Input((4,))
    model = kind(inputs, layers.Dense(1, name="head")(layers.Dense(3, name="body")(inputs)))
    # No loss: the step has its own.
    model.compile("sgd", run_eagerly=True)
    return model


def kept(model):
    return [np.array(v) for v in (*model.variables, *model.metrics_variables)]


def kinds(data):
    """The dtypes, and where Keras has one way the types: on JAX, an eager step gets arrays of either kind."""
    return tuple((None if BACKEND == "jax" else type(part), str(part.dtype)) for part in data)


@pytest.mark.every_backend
def test_a_step_that_unpacks_two_and_has_metrics_of_its_own_is_verified_and_left_as_it_was():
    model = custom()
    model.fit(X, Y, batch_size=8, verbose=0)
    freeze(model, "body")
    before = kept(model)
    report = verify_training(model, data=(X.astype("float64"), Y))
    assert report.raise_if_failed()
    assert {w.path for w in report.weights if w.changed} == {"head/kernel", "head/bias"}
    assert [w.gradient for w in report.weights] == ["", "", "flows", "flows"]
    assert all((a == b).all() for a, b in zip(before, kept(model), strict=True))
    fitted, *others = Custom.seen
    assert len(others) >= 2
    assert {kinds(data) for data in others} == {kinds(fitted)}
    model.fit(X, Y, verbose=0)


class Batches(keras.utils.PyDataset):
    """Elements that are dictionaries."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return NAMED


@pytest.mark.every_backend
def test_a_step_gets_the_elements_of_a_dataset_as_they_are():
    assert verify_training(custom(Named), data=Batches()).ok
    assert verify_training(custom(Named), data=iter([NAMED])).ok


def several():
    inputs = {name: keras.Input((4,), name=name) for name in ("left", "right")}
    both = layers.Concatenate()(list(inputs.values()))
    outputs = {name: layers.Dense(1, name=name)(both) for name in ("up", "down")}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"up": "mse", "down": "mse"}, run_eagerly=True)
    return model


def test_several_inputs_and_outputs_are_verified_by_name():
    x, y = {"left": X, "right": X}, {"up": Y, "down": Y}
    for data in ((x, y), (x, y, {"up": np.ones(8), "down": np.ones(8)}), {"x": x, "y": y}, None, iter([(x, y)])):
        report = verify_training(several(), data=data).raise_if_failed()
        assert [w.gradient for w in report.weights] == ["flows"] * 4


def loader():
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=4)


def tf_data():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


@pytest.mark.parametrize("made", [loader, tf_data])
def test_the_datasets_that_fit_takes_are_taken(made):
    if (BACKEND, made) == ("tensorflow", loader):
        pytest.skip("two frameworks in one process")
    assert verify_training(custom(), data=made()).ok
