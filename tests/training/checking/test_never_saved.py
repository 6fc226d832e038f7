"""Weights that Keras leaves out of its files are named everywhere, and what it saves never is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import weightkit
from weightkit import open_weights
from weightkit.access.live import open_live
from weightkit.layers import Parametrized, SpectralNorm, Tied
from weightkit.training import check_model, trainable_summary, verify_training

sys.path.insert(0, str(Path(__file__).parents[2] / "end_to_end"))
import models

pytestmark = pytest.mark.every_backend


class Held(layers.Layer):
    """Two Dense layers in a container of the user's choice, in an attribute of any name."""

    def __init__(self, attribute, container=list, **options):
        super().__init__(**options)
        self.stack = None
        setattr(self, attribute, container([layers.Dense(4, name="one"), layers.Dense(4, name="two")]))
        self.attribute = attribute

    def held(self):
        found = getattr(self, self.attribute)
        return found.values() if isinstance(found, dict) else found

    def build(self, shape):
        for layer in self.held():
            layer.build(shape)

    def call(self, x):
        for layer in self.held():
            x = layer(x)
        return x


class Gated(layers.Dense):
    """A subclass of a layer whose own saving names its weights one by one."""

    def build(self, shape):
        super().build(shape)
        self.gate = self.add_weight(shape=(), initializer="ones", name="gate")

    def call(self, x):
        return super().call(x) * self.gate


class Chosen(layers.Layer):
    """It saves part of what it has, on purpose; the rest is not trained."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")
        self.cache = self.add_weight(shape=(3,), trainable=False, name="cache")

    def call(self, x):
        return x * self.scale

    def save_own_variables(self, store):
        store["0"] = self.scale

    def load_own_variables(self, store):
        self.scale.assign(store["0"])


class Converting(layers.Layer):
    """It saves its layers' weights itself, as arrays."""

    def __init__(self, **options):
        super().__init__(**options)
        self._layers = [layers.Dense(4, name="one")]

    def build(self, shape):
        self._layers[0].build(shape)

    def call(self, x):
        return self._layers[0](x)

    def save_own_variables(self, store):
        for number, variable in enumerate(self._layers[0].variables):
            store[str(number)] = keras.ops.convert_to_numpy(variable)


class Attributed(layers.Layer):
    """Layers in every kind of attribute that Keras does save."""

    def __init__(self, **options):
        super().__init__(**options)
        self.alone = layers.Dense(4, name="alone")
        self.again = self.alone
        self.listed = [self.alone, layers.Dense(4, name="listed")]
        self.tupled = (layers.Dense(4, name="tupled"),)
        self.named = {"a": layers.Dense(4, name="named"), "b": [layers.Dropout(0.5), layers.BatchNormalization()]}
        self.seeds = keras.random.SeedGenerator(1)
        self.seen = keras.metrics.Mean(name="seen")
        self.loose = keras.Variable(np.ones(3, "float32"), name="loose")
        self.some = [keras.Variable(np.ones(2, "float32"), name="some")]

    def build(self, shape):
        for layer in self._flatten_layers(include_self=False):
            layer.build(shape)

    def call(self, x):
        for layer in (*self.listed, *self.tupled, self.named["a"], *self.named["b"]):
            x = layer(x)
        return x


def small(*stack):
    return keras.Sequential([keras.Input((4,)), *stack, layers.Dense(2, name="head")], name="small")


def lost(model, path):
    """The variables whose values, unlike all others, are in no dataset of the file that Keras saves."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if "float" in variable.dtype:
            variable.assign(rng.random(variable.shape))
    model.save_weights(path)
    stored = set()
    with h5py.File(path) as file:
        file.visititems(lambda _, thing: stored.add(thing[()].tobytes()) if isinstance(thing, h5py.Dataset) else None)
    values = {variable.path: keras.ops.convert_to_numpy(variable).tobytes() for variable in model.variables}
    return {name for name, value in values.items() if value not in stored}


@pytest.mark.parametrize(("attribute", "container"), [("_layers", list), ("_layers", tuple), ("kept", set)])
def test_layers_that_keras_skips_are_named_by_every_function(attribute, container, tmp_path):
    model = small(Held(attribute, container, name="block"))
    gone = lost(model, tmp_path / "m.weights.h5")
    assert len(gone) == 4
    assert {one.path for one in open_live(model).unsaved} == gone
    [finding] = check_model(model).findings
    assert finding.what == "never saved"
    assert set(finding.weights) == gone
    assert all(path in finding.problem for path in gone)
    assert f"block.{attribute}" in finding.problem
    [note] = open_weights(model).notes
    assert note.startswith("4 weights are never saved by Keras")
    model.compile("sgd", "mse", run_eagerly=True)
    for report in (trainable_summary(model), verify_training(model, data=(np.ones((2, 4)), np.ones((2, 2))))):
        [note] = report.notes
        assert note.startswith("in no file that Keras saves (see check_model): ")
        assert sum(path in note for path in gone) >= 3  # a long list is cut
        assert note in str(report)
        assert report.to_dict()["notes"] == [note]
    other = small(Held(attribute, container, name="block"))
    weightkit.load_weights(other, model)
    for said in (
        weightkit.show(model),
        weightkit.diff(model, other),
        weightkit.scale(model, 2.0, dry_run=True),
        weightkit.load_weights(other, model),
        weightkit.load_weights(other, tmp_path / "m.weights.h5"),
    ):
        assert "4 weights are never saved by Keras" in str(said)
        assert any("never saved" in text for text in json.loads(json.dumps(said.to_dict()))["notes"])


def test_loading_from_a_model_says_what_that_model_does_not_give(tmp_path):
    model = small(Held("_layers", name="block"))
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    said = weightkit.load_weights(path, model, dry_run=True)
    assert "Sequential 'small': 4 weights are never saved by Keras" in str(said)


def test_a_weight_that_an_inherited_saving_leaves_out_is_named(tmp_path):
    model = small(Gated(4, name="gated"))
    gone = lost(model, tmp_path / "m.weights.h5")
    assert len(gone) == 1
    [finding] = check_model(model).findings
    assert set(finding.weights) == gone
    assert "save_own_variables" in finding.hint


def with_optimizer():
    model = small(layers.Dense(4))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    return model


def quantized(mode):
    model = keras.Sequential([keras.Input((128,)), layers.Dense(4, name="d"), Gated(4, name="gated")])
    model.layers[0].quantize(mode)
    return model


def low_rank_embedding():
    start = keras.Input((5,), dtype="int32")
    model = keras.Model(start, layers.Embedding(7, 4, name="words")(start))
    model.layers[1].enable_lora(2)
    return model


def stateful():
    start = keras.Input(batch_shape=(2, 5, 4))
    return keras.Model(start, layers.Bidirectional(layers.LSTM(3, stateful=True))(start))


def parametrized():
    body = Parametrized(layers.Dense(4, name="a"), kernel=SpectralNorm())
    return small(body, Parametrized(layers.Dense(4, name="b"), kernel=Tied(body)))


KEPT = [
    with_optimizer, low_rank_embedding, stateful,
    models.sequential, models.nested, models.shared, models.subclassed, models.recurrent, models.attention,
    models.convolutional, models.normalization, models.embedding, models.custom, models.low_rank, models.quantized,
    lambda: small(Attributed(name="all")), lambda: small(Chosen()), lambda: small(Converting()),
    lambda: small(layers.SpectralNormalization(layers.Dense(4))), lambda: small(layers.Dropout(0.5)),
    lambda: small(layers.Dense(4, dtype="mixed_bfloat16")),
]  # fmt: skip


@pytest.mark.parametrize("make", KEPT)
def test_what_keras_saves_is_never_named(make):
    model = make()
    assert open_live(model).unsaved == ()
    assert open_weights(model).notes == ()
    assert not [finding for finding in check_model(model).findings if finding.what == "never saved"]


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_quantized_layer_saves_all_of_itself(mode):
    model = quantized(mode)
    assert [one.path.rpartition("/")[2] for one in open_live(model).unsaved] == ["gate"]


def test_the_zero_points_that_keras_leaves_out_are_named(tmp_path):
    """Keras 3.15 does not save them, and then cannot load its own file."""
    model = keras.Sequential([keras.Input((16,)), layers.Dense(6, name="d")])
    config = keras.quantizers.GPTQConfig(dataset=None, tokenizer=None, weight_bits=4, group_size=4)
    model.layers[0].quantize("gptq", config=config)
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        assert len(file["layers/dense/vars"]) == 4
    assert model.layers[0].kernel_zero.path in {one.path for one in open_live(model).unsaved}
    assert "kernel_zero" in str(check_model(model))


def test_a_layer_a_list_of_variables_and_an_optimizer_are_opened_as_before():
    model = with_optimizer()
    assert open_weights(model.layers[0]).notes == ()
    assert open_weights(model.optimizer).notes == ()
    assert open_weights(model.variables).notes == ()
