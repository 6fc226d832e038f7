"""Gradual unfreezing: the head alone, then one group of layers more in each stage, and in the last one everything."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from stage_cases import made

from weightkit.errors import RequestError, SelectionError
from weightkit.training import freeze_all_but, unfreeze_schedule


def flat():
    dense = keras.layers.Dense
    names = ("stem", "block1_a", "block1_b", "between", "block2_a", "block2_b", "top", "head")
    layers = [dense(2, name=name) for name in names]
    layers.insert(3, keras.layers.Dropout(0.1, name="block1_drop"))
    return keras.Sequential([keras.Input((2,)), *layers])


def trained(model, stages):
    """For each stage, the layers that train then."""
    found = []
    for stage in stages:
        freeze_all_but(model, stage.train)
        found.append([layer.name for layer in model.layers if layer.trainable_variables])
    return found


def test_each_layer_that_matches_is_a_group():
    model = made()
    stages = unfreeze_schedule(model, "block*", epochs=2, learning_rate=0.1, early_stopping={"monitor": "loss"})
    everything = ["stem", "block1", "norm", "block2", "head"]
    assert trained(model, stages) == [["head"], ["block2", "head"], everything]
    assert [stage.name for stage in stages] == ["head", "block2", "block1"]
    assert {(one.epochs, one.learning_rate, one.early_stopping["monitor"]) for one in stages} == {(2, 0.1, "loss")}


@pytest.mark.parametrize("per_stage", [r"re:^(block\d+)", ["block1_*", "block2_*"], ["block2_*", "block1_*"]])
def test_groups_of_flat_layers_come_from_parentheses_or_a_list(per_stage):
    model = flat()
    stages = unfreeze_schedule(model, per_stage)
    upper = ["block2_a", "block2_b", "top", "head"]
    assert trained(model, stages) == [
        ["top", "head"],
        upper,
        ["stem", "block1_a", "block1_b", "between", *upper],
    ]
    assert stages[0].name == "top | head"


def test_groups_may_be_layers():
    model = flat()
    stages = unfreeze_schedule(model, [model.layers[:4], model.layers[6], [model.layers[5], "top"]])
    assert [stage.name for stage in stages] == [
        "head",
        "block2_b",
        "block2_a | top",
        "stem | block1_a | block1_b | block1_drop",
    ]
    assert trained(model, stages[-1:]) == [[layer.name for layer in model.layers if layer.weights]]


def test_groups_may_be_nested_and_layers_around_them_are_not_taken_whole():
    blocks = [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="a")], name=f"stage{n}") for n in range(2)
    ]
    backbone = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, name="stem"), *blocks, keras.layers.Dense(2, name="post")],
        name="backbone",
    )
    model = keras.Sequential([keras.Input((2,)), backbone, keras.layers.Dense(1, name="head")])
    first, second, third = unfreeze_schedule(model, "backbone/stage*")
    assert first.train == ("backbone/post", "head")
    assert second.train == (*first.train, "backbone/stage1")
    assert third.train == (*second.train, "backbone/stage0", "backbone/stem")
    assert [one.train for one in unfreeze_schedule(model, "class:Sequential")] == [("head",), ("head", "backbone")]


def test_what_finds_nothing_or_has_no_order_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.block1 = keras.layers.Dense(2)

        def call(self, inputs):
            return self.block1(inputs)

    own = Own()
    own(np.zeros((1, 2)))
    with pytest.raises(RequestError, match="its layers have no order that is known — write the list of stages"):
        unfreeze_schedule(own, "block*")
    with pytest.raises(SelectionError, match="did you mean"):
        unfreeze_schedule(made(), "blok1")
    for nothing in (r"re:^(zz)", "drop", []):
        with pytest.raises(SelectionError, match="finds no weight that can be trained"):
            unfreeze_schedule(made(), nothing)
