"""What a store of a model in memory says about weights that Keras never saves."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

import weightkit
from weightkit import open_weights

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Hidden(layers.Layer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._layers = [layers.Dense(2, name="inside")]

    def build(self, shape: Any) -> None:
        self._layers[0].build(shape)

    def call(self, x: Any) -> Any:
        return self._layers[0](x)


def model(*stack: Any) -> Any:
    return keras.Sequential([keras.Input((2,)), *stack], name="small")


def test_the_note_counts_and_names_them() -> None:
    [note] = open_weights(model(Hidden(name="block"), layers.Dense(2))).notes
    assert note.startswith("2 weights are never saved by Keras")
    assert "block/inside/kernel, " in note


def test_a_layer_alone_is_looked_into() -> None:
    block = Hidden(name="block")
    block.build((None, 2))
    assert "2 weights" in open_weights(block).notes[0]


def test_two_models_that_differ_only_there_are_not_called_equal_without_a_word() -> None:
    first, second = (model(Hidden(name="block"), layers.Dense(1, name="head")) for _ in range(2))
    second.layers[1].set_weights(first.layers[1].get_weights())
    found = weightkit.diff(first, second)
    assert found.equal
    assert "never saved by Keras" in str(found)
    assert len(weightkit.diff(first, first).notes) == 1


def test_the_notes_are_the_same_after_an_edit() -> None:
    built = model(Hidden(name="block"), layers.Dense(1, name="head"))
    kernel = np.asarray(built.layers[0]._layers[0].kernel)
    report = weightkit.scale(built, 2.0)
    assert "never saved by Keras" in str(report)
    np.testing.assert_array_equal(np.asarray(built.layers[0]._layers[0].kernel), kernel)
