"""What freeze and unfreeze do to flags, statistics, files and requests."""

from __future__ import annotations

import json
import re

import keras
import pytest
from training_cases import X, Y, compiled, counter, fit, nested, same, slots, traced, weights

from weightkit.errors import RequestError, SelectionError
from weightkit.training import (
    FreezePlan,
    NothingTrainedWarning,
    freeze,
    freeze_all_but,
    freeze_to,
    frozen,
    recompile,
    unfreeze,
)


def flags(model):
    layers = [(layer.name, layer.trainable) for layer in model._flatten_layers()]
    return layers, [(v.path, v.trainable) for v in model.variables]


def trained(model):
    return {v.path.rpartition("/")[0].rpartition("/")[2] + "/" + v.name for v in model.trainable_variables}


def test_a_selection_of_nothing_names_near_paths_and_changes_nothing():
    model = compiled("nested")
    before, optimizer = flags(model), model.optimizer
    with pytest.raises(SelectionError, match="did you mean backbone"):
        freeze(model, "bakbone")
    assert flags(model) == before
    assert model.optimizer is optimizer


def test_single_weights_are_frozen_and_their_layers_stay_on():
    model = compiled("nested")
    freeze(model, "name:bias")
    assert trained(model) == {"part/kernel", "bn/gamma", "bn/beta", "head/kernel"}
    assert model.get_layer("head").trainable


def test_a_layer_whose_every_weight_is_frozen_is_off_and_comes_on_with_any():
    model = compiled("nested")
    freeze(model, "backbone", exclude="name:kernel")
    assert model.get_layer("backbone").trainable
    freeze(model, "backbone/part/kernel")
    assert not model.get_layer("backbone").trainable
    unfreeze(model, "backbone/part/bias")
    assert model.get_layer("backbone").trainable
    assert trained(model) == {"part/bias", "head/kernel", "head/bias"}


def test_undo_restores_every_flag_and_the_slots():
    model = compiled("nested")
    freeze(model, "backbone/part/bias")
    fit(model)
    before, known = flags(model), slots(model.optimizer)
    plan = freeze(model, "backbone")
    assert flags(model) != before
    plan.undo()
    assert flags(model) == before
    assert slots(model.optimizer) == known


def test_frozen_puts_everything_back_when_training_fails():
    model = compiled("nested")
    before = flags(model)
    with pytest.raises(ZeroDivisionError), frozen(model, "backbone"):
        raise ZeroDivisionError
    assert flags(model) == before


@pytest.mark.parametrize(("statistics", "moves"), [("freeze", False), ("update", True), ("keep", True)])
def test_statistics_move_as_the_policy_says(statistics, moves):
    model = compiled("nested")
    freeze(model, "backbone", statistics=statistics)
    before = weights(model, "moving")
    fit(model)
    assert same(weights(model, "moving"), before) != moves


def test_statistics_that_are_selected_are_held_and_the_weights_of_their_layer_stay():
    model = compiled("nested")
    plan = freeze(model, "kind:statistic")
    before, gamma = weights(model, "moving"), weights(model, "gamma")
    fit(model)
    assert same(weights(model, "moving"), before)
    assert not same(weights(model, "gamma"), gamma)
    assert any("its weights keep their flags" in note for note in plan.notes)


def test_half_a_batch_normalization_goes_on_measuring_and_is_told():
    plan = freeze(compiled("nested"), "name:gamma")
    assert any("bn: some of its weights stay trained" in note for note in plan.notes)


def test_unfreezing_can_leave_statistics_held():
    model = compiled("nested")
    freeze(model, "backbone")
    unfreeze(model, "backbone", statistics="freeze")
    before = weights(model, "moving")
    fit(model)
    assert same(weights(model, "moving"), before)
    assert "bn/gamma" in trained(model)


def test_freeze_all_but_and_freeze_to_train_the_rest():
    model = compiled("sequential")
    freeze_all_but(model, "middle")
    assert trained(model) == {"middle/kernel", "middle/bias"}
    freeze_to(model, "part")
    assert trained(model) == {"middle/kernel", "middle/bias", "head/kernel", "head/bias"}
    freeze_to(model, -1)
    assert trained(model) == {"head/kernel", "head/bias"}
    freeze_to(model, 0)
    assert len(trained(model)) == 6
    with pytest.raises(SelectionError, match="3, got 4"):
        freeze_to(model, 4)
    with pytest.raises(RequestError, match="have no order"):
        freeze_to(compiled("subclassed"), 1)


def test_freezing_everything_is_allowed_and_warned_of():
    model = compiled("sequential")
    with pytest.warns(NothingTrainedWarning):
        plan = freeze(model, "**")
    before = weights(model)
    if keras.config.backend() != "jax":  # where Keras' own step has nothing to differentiate
        fit(model)
    assert same(weights(model), before)
    assert any("no weight of the model is trained" in note for note in plan.notes)


def test_a_model_that_was_not_compiled_gets_the_flags_and_is_told():
    model = nested()
    plan = freeze(model, "backbone")
    assert trained(model) == {"head/kernel", "head/bias"}
    assert any("is not compiled" in note for note in plan.notes)


def test_a_plan_is_json_and_applies_to_the_model_loaded_again(tmp_path):
    model = compiled("nested")
    plan = freeze(model, ["name:bias", "backbone/bn"])
    plan.save(tmp_path / "plan.json")
    assert json.loads((tmp_path / "plan.json").read_text())["schema"] == "weightkit.freeze/1"
    again = FreezePlan.load(tmp_path / "plan.json")
    assert str(again) == str(plan)
    other = compiled("nested")
    again.apply(other).undo()
    assert len(other.trainable_variables) == 6
    again.apply(other)
    assert trained(other) == trained(model)
    assert not other.get_layer("backbone").get_layer("bn").trainable


def test_a_plan_applies_where_automatic_names_are_others():
    def automatic():
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(1)])

    model, other = automatic(), automatic()
    plan = freeze(model, model.layers[0].name)
    FreezePlan.from_dict(plan.to_dict()).apply(other)
    assert not other.layers[0].trainable
    assert [v.trainable for v in other.variables] == [False, False, True, True]


def test_undo_after_a_compile_of_the_users_own_trains_what_was_frozen():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="part"), keras.layers.Dense(1)])
    plan = freeze(model, "part")
    model.compile("adam", "mse")
    fit(model)
    plan.undo()
    before = weights(model, "part")
    fit(model)
    after = weights(model, "part")
    assert all((before[key] != after[key]).any() for key in before)
    assert before


def test_a_plan_from_a_file_cannot_be_undone_and_other_files_are_refused(tmp_path):
    plan = FreezePlan.from_dict(freeze(compiled(), "part").to_dict())
    with pytest.raises(RequestError, match="must be applied before"):
        plan.undo()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(RequestError, match=re.escape("weightkit.freeze/1")):
        FreezePlan.load(tmp_path / "other.json")


def test_a_plan_from_a_file_prints_its_texts_without_steering_the_terminal():
    plan = FreezePlan.from_dict(freeze(compiled(), "part").to_dict() | {"act": "\x1b]0;a", "label": "b\u3164\\"})
    assert plan.summary().startswith("\\x1b]0;a on b\\u3164\\\\: ")
    assert str(plan).splitlines()[0] == plan.summary()


def test_lora_keeps_its_base_frozen_through_off_and_on():
    model = compiled("sequential")
    model.get_layer("part").enable_lora(2)
    base = model.get_layer("part")._kernel
    freeze(model, "part")
    assert not any(v.trainable for v in model.get_layer("part")._trainable_variables)
    unfreeze(model, "part")
    assert not base.trainable
    assert {"lora_kernel_a", "lora_kernel_b", "bias"} <= {v.name for v in model.trainable_variables}
    freeze(model, "role:lora")
    assert "lora_kernel_a" not in {v.name for v in model.trainable_variables}


@pytest.mark.every_backend
def test_freezing_within_fit_is_refused_and_changes_nothing():
    model, said = compiled("sequential"), []

    class Eager(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(RequestError, match="is running") as caught:
                freeze(model, "part")
            said.append(caught)

    model.fit(X, Y, verbose=0, callbacks=[Eager()])
    assert said
    assert len(model.trainable_variables) == 6


def test_spectral_normalization_is_told_to_go_on():
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(2, name="inner"), name="spectral")
    model = keras.Sequential([keras.Input((4,)), layer])
    with pytest.warns(NothingTrainedWarning):
        plan = freeze(model, "**")
    assert any("still changes the kernel" in note for note in plan.notes)


@pytest.mark.every_backend
def test_keras_itself_ignores_or_refuses_a_flag_set_after_fit():
    model = traced("sequential")
    fit(model)
    before = weights(model, "part")
    model.get_layer("part").trainable = False
    if keras.config.backend() == "jax":
        with pytest.raises(Exception, match=r"."):  # the structures differ, and the variables are gone after it
            fit(model)
    else:
        fit(model)
        assert same(weights(model, "part"), before) == (keras.config.backend() == "torch")


@pytest.mark.every_backend
def test_a_freeze_after_fit_holds():
    model = traced("sequential")
    fit(model)
    freeze(model, "part")
    before = weights(model, "part")
    fit(model)
    assert same(weights(model, "part"), before)


def after_a_freeze():
    """A model with the optimizer that Keras would go on with, which has never seen the first layer."""
    model = traced("sequential")
    model.get_layer("part").trainable = False
    model.compile(model.optimizer, "mse")
    fit(model)
    model.get_layer("part").trainable = True
    return model


@pytest.mark.every_backend
def test_keras_itself_cannot_train_a_weight_that_the_optimizer_has_never_seen():
    model = after_a_freeze()
    model.compile(model.optimizer, "mse")
    with pytest.raises(Exception, match=r"Unknown variable|trainable_variables|structure|not callable"):
        fit(model)


@pytest.mark.every_backend
def test_a_weight_that_the_optimizer_has_never_seen_is_trained_after_recompile():
    model = after_a_freeze()
    recompile(model)
    before, count = weights(model, "part"), counter(model.optimizer.inner_optimizers[0])
    fit(model)
    assert not same(weights(model, "part"), before)
    assert count == 0
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [3, 6]
