"""What somebody else adds, each in one class: a layer and a parametrization."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

import weightkit
from weightkit.layers import Parametrized
from weightkit.layers.parametrizations.parametrization import Parametrization


@keras.saving.register_keras_serializable(package="test_adding")
class Shift(keras.layers.Layer):
    """A layer: adds one number for each channel."""

    def build(self, input_shape):
        self.shift = self.add_weight(name="shift", shape=input_shape[-1:], initializer="ones")

    def call(self, inputs):
        return inputs + self.shift


@keras.saving.register_keras_serializable(package="test_adding")
@dataclass(frozen=True)
class Halved(Parametrization):
    """A parametrization: the weight is half of its variable."""

    def build(self, weight):
        return {}

    def compute(self, base, added, weight, *, training):
        return base * 0.5


def test_a_layer_of_somebody_elses_is_edited_in_memory_and_in_its_file(tmp_path):
    model = keras.Sequential([keras.Input((2,)), Shift(name="shift")])
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    weightkit.scale(path, 3.0, "**")
    weightkit.scale(model, 3.0, "shift")
    with weightkit.open_weights(path) as file, weightkit.open_weights(model) as live:
        assert [file.read(ref).tolist() for ref in file] == [live["shift/shift"].tolist()] == [[3.0, 3.0]]


def test_a_parametrization_of_somebody_elses_computes_a_weight():
    layer = Parametrized(keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"), kernel=Halved())
    assert np.asarray(keras.ops.convert_to_numpy(layer(np.ones((1, 4), np.float32)))).tolist() == [[2.0]]
