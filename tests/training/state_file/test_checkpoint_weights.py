"""Slots in a file that Keras wrote go to the weights that they belong to, whatever is frozen, new or gone."""

from __future__ import annotations

import keras
import pytest
from checkpoint_cases import (
    FORMATS,
    OPTIMIZERS,
    agree,
    attention,
    compiled,
    made,
    same,
    saved,
    slots_of_layers,
    state,
    train,
)
from keras import layers

from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.training import freeze, load_optimizer_state, unfreeze
from weightkit.training.optimizer.slot_values import values_of


def test_the_weights_of_an_attention_layer_get_their_own_slots(tmp_path):
    model, other = compiled(attention()), compiled(attention())
    train(model)
    load_optimizer_state(other, saved(model, tmp_path / "m.keras"))
    assert agree(model, other) == len(slots_of_layers(model)) == 30


def test_a_layer_that_the_model_does_not_have_is_left_out(tmp_path):
    model = compiled(attention())
    train(model)
    path = saved(model, tmp_path / "m.keras")
    other = compiled(attention(attends=False))
    report = load_optimizer_state(other, path)
    assert agree(model, other) == len(slots_of_layers(other)) == 18
    assert any("attention" in note and "matched by no weight" in note for note in report.notes)


@pytest.mark.parametrize("form", ["archive", "legacy"])
def test_a_new_head_gets_none_and_all_others_get_their_slots(form, tmp_path):
    model, other = made(), made(head=1)
    train(model)
    path = saved(model, tmp_path / FORMATS[form])
    train(other, 1)
    before = state(other)
    with pytest.raises(RequestError, match="head/kernel"):
        load_optimizer_state(other, path)
    assert same(before, state(other))
    report = load_optimizer_state(other, path, on_missing="skip")
    assert all(text.startswith("head/") for text in report.unchanged)
    assert report.weights == 6
    assert agree(model, other) == 18


@pytest.mark.parametrize("form", ["archive", "legacy", "weights"])
def test_slots_of_a_model_that_was_partly_frozen_go_to_the_weights_that_were_trained(form, tmp_path):
    model, other = made(frozen=["middle"]), made()
    train(model)
    path = saved(model, tmp_path / FORMATS[form])
    with pytest.raises(RequestError, match=r"middle/kernel \(momentum of Adam\) is not in the file"):
        load_optimizer_state(other, path)
    assert not other.optimizer.built
    report = load_optimizer_state(other, path, on_missing="skip")
    assert all(text.startswith("middle/") for text in report.unchanged)
    assert agree(model, other) == 18


def test_slots_of_weights_that_are_frozen_now_are_parked(tmp_path):
    model, other = made(), made()
    train(model)
    path = saved(model, tmp_path / "m.h5")
    freeze(other, "body")
    assert load_optimizer_state(other, path).parked == 2
    unfreeze(other, "body")
    assert agree(model, other) == 24


def equal_layers(frozen=()):
    stack = [*(layers.Dense(4, name=name) for name in "abc"), layers.Dense(2, name="head")]
    model = keras.Sequential([keras.Input((4,)), *stack], name="small")
    for name in frozen:
        model.get_layer(name).trainable = False
    return compiled(model)


def test_the_saved_flags_tell_equal_layers_apart(tmp_path):
    model, other = equal_layers(frozen="b"), equal_layers()
    train(model)
    load_optimizer_state(other, saved(model, tmp_path / "m.keras"), on_missing="skip")
    assert agree(model, other) == 18


def test_what_nothing_tells_apart_is_refused(tmp_path):
    model, other = equal_layers(frozen="b"), equal_layers()
    train(model)
    path = saved(model, tmp_path / "m.weights.h5")
    with pytest.raises(UnsupportedFileError, match="cannot be told which of its 8 weights the 20 variables") as refused:
        load_optimizer_state(other, path, on_missing="skip")
    assert "\n" not in str(refused.value)
    assert not other.optimizer.built


def test_a_flag_that_changed_after_the_optimizer_was_built_does_not_mislead(tmp_path):
    model, other = made(), made()
    train(model)
    model.get_layer("body").trainable = False
    load_optimizer_state(other, saved(model, tmp_path / "m.keras"))
    assert agree(model, other) == 24


def test_a_file_that_does_not_name_its_optimizer_is_told(tmp_path):
    model, other = made(), made()
    train(model)
    notes = load_optimizer_state(other, saved(model, tmp_path / "m.weights.h5")).notes
    assert notes == (
        "the file does not say which optimizer it is of: Adam is assumed, with the settings that it has here",
    )


def test_automatic_names_may_differ(tmp_path):
    model, other = made(names=False), made(names=False)
    train(model)
    path = saved(model, tmp_path / "m.h5")
    load_optimizer_state(other, path)
    assert model.layers[0].name != other.layers[0].name
    assert same(*([values_of(one) for one in each.optimizer.variables] for each in (model, other)))


@pytest.mark.every_backend
def test_what_keras_loses_of_a_legacy_file_is_brought_back(tmp_path):
    model = made()
    train(model)
    saved(model, tmp_path / "m.h5")
    other = keras.models.load_model(tmp_path / "m.h5", custom_objects={"mse": keras.losses.MeanSquaredError()})
    other.compile(OPTIMIZERS["adam"](), "mse", run_eagerly=True)
    load_optimizer_state(other, tmp_path / "m.h5")
    assert same(state(model), state(other))
    assert train(model) == train(other)
