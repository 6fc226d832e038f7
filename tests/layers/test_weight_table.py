"""The table from which weights of weightkit's own layers get their names in files, against the layers themselves."""

from __future__ import annotations

import importlib
from pathlib import Path

import keras
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "make"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("weightkit_table")


def test_the_table_is_what_the_script_makes_from_the_layers(script):  # 4 seconds: it builds some 300 layers
    assert script.OUTPUT.read_text(encoding="utf-8") == script.made()


def test_a_layer_without_a_recipe_is_named(script):
    with pytest.raises(AssertionError, match=r"Maxout must have a recipe in .*weightkit_table\.py"):
        script.entries(script.OwnTable(), {"Maxout": script.classes(object)["Maxout"]}, {})


class Pair(keras.layers.Layer):
    def build(self, input_shape):
        self.first = keras.layers.Dense(2)
        self.first.build(input_shape)


def test_a_layer_with_weights_of_other_layers_is_refused(script):
    recipe = script.Recipe(lambda _: {}, lambda _: (2, 3))
    with pytest.raises(AssertionError, match="Pair must have weights of its own alone, and has first"):
        script.entries(script.OwnTable(), {"Pair": Pair}, {"Pair": recipe})
