"""What counts as Keras' own in a configuration and in memory."""

from __future__ import annotations

import pytest

from weightkit.access.names.legacy.config_tree import LayerTree
from weightkit.access.names.serialized_layer import serialized
from weightkit.builtin import defined_in, may_be_builtin

SAID = [
    ("keras.layers", None, True),
    ("keras.src.layers.core.dense", "Dense", True),
    ("tf_keras.layers", None, True),
    ("tensorflow.python.keras.layers", None, True),
    (None, None, True),
    (3, 3, True),
    ("keras_hub.layers", None, False),
    ("mine.keras", None, False),
    ("keras.layers", "mine>Dense", False),
    (None, "mine>Dense", False),
]


@pytest.mark.parametrize(("module", "registered", "own"), SAID)
def test_a_module_or_a_registered_name_tells_what_is_somebody_else_s(module, registered, own):
    assert may_be_builtin(module, registered) is own


@pytest.mark.parametrize(("module", "registered", "own"), SAID)
def test_both_readers_of_configurations_agree(module, registered, own):
    entry = {"module": module, "class_name": "Dense", "config": {"name": "d"}, "registered_name": registered}
    layer = serialized(entry)
    assert layer is not None
    assert layer.builtin is own
    [child] = LayerTree({"class_name": "Model", "config": {"name": "m", "layers": [entry]}}).root.children
    assert child.builtin is own


def test_a_class_or_a_function_belongs_to_the_package_that_it_was_defined_in():
    made = type("Dense", (), {"__module__": "keras.src.layers"})
    assert defined_in(made)
    assert not defined_in(made, "weightkit")
    assert defined_in(defined_in, "weightkit")
    assert not defined_in(type("Dense", (), {"__module__": "keras_hub.layers"}))
