"""Layers that are given as objects, in lists of names, from a base model, or without weights."""

from __future__ import annotations

import keras
import pytest

from weightkit.errors import SelectionError
from weightkit.training import NothingTrainedWarning, freeze, freeze_all_but, freeze_to, frozen, unfreeze

layers = keras.layers
ALL = {"a", "b", "bn", "c", "head"}


def flattened():
    """A base with branches, and a model on its output, in which the base is not a layer."""
    image = keras.Input((4,), name="image")
    low = layers.Activation("relu", name="act")(layers.Dense(4, name="a")(image))
    mixed = layers.Concatenate(name="mixed7")([low, layers.Dense(4, name="b")(low)])
    high = layers.Dropout(0.1, name="drop")(layers.BatchNormalization(name="bn")(mixed))
    base = keras.Model(image, layers.Dense(3, name="c")(high), name="base")
    return base, keras.Model(base.input, layers.Dense(1, name="head")(base.output), name="whole")


@pytest.fixture(scope="module")
def made():
    return flattened()


def trained(model):
    return {v.path.split("/")[0] for v in model.trainable_variables}


def after(act, made):
    """Which layers are trained after a freeze, and its notes; it is undone."""
    plan = act(*made)
    found = trained(made[1])
    plan.undo()
    assert trained(made[1]) == ALL
    return found, plan.notes


@pytest.mark.parametrize(
    ("act", "frozen_layers", "without"),
    [
        (lambda _, model: freeze_to(model, "mixed7"), {"a", "b"}, "mixed7"),
        (lambda _, model: freeze_to(model, model.get_layer("drop")), {"a", "b", "bn"}, "drop"),
        (lambda _, model: freeze_to(model, model.layers[:6]), {"a", "b", "bn"}, "image, act, mixed7"),
        (lambda _, model: freeze_to(model, "image"), set(), "image"),
        (lambda base, model: freeze_to(model, base), {"a", "b", "bn", "c"}, ""),
        (lambda _, model: freeze(model, [layer.name for layer in model.layers[:5]]), {"a", "b"}, "image, act, mixed7"),
        (lambda _, model: freeze(model, model.layers[:3]), {"a"}, "image, act"),
        (lambda _, model: freeze(model, model.get_layer("c")), {"c"}, ""),
        (lambda _, model: freeze(model, model.get_layer("act")), set(), "act"),
        (lambda _, model: freeze(model, "mixed*"), set(), "mixed7"),
        (lambda _, model: freeze(model, model.input), set(), "image"),
        (lambda base, model: freeze(model, base), {"a", "b", "bn", "c"}, ""),
        (lambda base, model: freeze(model, base, exclude=[model.get_layer("bn"), "drop"]), {"a", "b", "c"}, "drop"),
        (lambda _, model: freeze_all_but(model, model.layers[-2:]), {"a", "b", "bn"}, ""),
    ],
)
def test_layers_are_frozen_however_they_are_given_and_those_without_weights_are_noted(
    act, frozen_layers, without, made
):
    found, notes = after(act, made)
    assert found == ALL - frozen_layers
    assert [note.partition(":")[0] for note in notes if "no weights to train" in note] == ([without] if without else [])


def test_a_layer_is_frozen_with_its_statistics_and_trained_again(made):
    base, model = made
    with frozen(model, base):
        assert not model.get_layer("bn").trainable
        plan = unfreeze(model, [model.get_layer("bn"), "act"])
        assert trained(model) == {"bn", "head"}
        plan.undo()
    assert trained(model) == ALL


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("mixd7", "did you mean mixed7"),
        (["a", "mixd7"], "did you mean mixed7"),
        (layers.Dense(2, name="other"), "'other' is not in the model"),
        ([], "empty list"),
        ("name:nothing", "chooses nothing"),
    ],
)
def test_what_is_not_a_layer_of_the_model_is_refused(where, problem, made):
    with pytest.raises(SelectionError, match=problem):
        freeze(made[1], where)
    assert trained(made[1]) == ALL


def test_a_layer_without_weights_is_found_in_a_nested_model(made):
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, layers.Dense(1, name="top")(made[0](inputs)))
    plan = freeze(outer, "base/act")
    assert "base/act: no weights to train" in plan.notes
    assert len(outer.trainable_variables) == 10
    plan = freeze_to(outer, "base/mixed7")
    assert [flag.ref.path for flag in plan.changed] == ["base/a/kernel", "base/a/bias", "base/b/kernel", "base/b/bias"]
    plan.undo()


def test_a_count_of_layers_above_what_there_is_tells_how_many_there_are(made):
    found, notes = after(lambda _, model: freeze(model, "last:9:*", exclude="head"), made)
    assert found == {"head"}
    assert "the selection last:9:* asks for 9 layers, and there are 5" in notes


def freeze_in_a_block(model):
    with frozen(model, "**"):
        pass


@pytest.mark.parametrize(
    "act",
    [
        lambda model: freeze(model, "**"),
        lambda model: freeze_to(model, 5),
        lambda model: freeze_all_but(model, "act"),
        freeze_in_a_block,
    ],
)
def test_the_warning_that_nothing_is_trained_is_at_the_users_line(act):
    model = keras.Sequential(
        [keras.Input((2,)), *(layers.Dense(2, name=f"d{i}") for i in range(5)), layers.ReLU(name="act")]
    )
    with pytest.warns(NothingTrainedWarning) as caught:
        act(model)
    assert [warning.filename for warning in caught] == [__file__]


def test_applying_and_undoing_plans_warn_at_the_users_line_too(made):
    model = made[1]
    with pytest.warns(NothingTrainedWarning):
        plan = freeze(model, "**")
    plan.undo()
    with pytest.warns(NothingTrainedWarning) as caught:
        again = plan.apply(model)
    undone = unfreeze(model, "head")
    with pytest.warns(NothingTrainedWarning) as caught_again:
        undone.undo()
    again.undo()
    assert [warning.filename for warning in (*caught, *caught_again)] == [__file__] * 2
    assert trained(model) == ALL
