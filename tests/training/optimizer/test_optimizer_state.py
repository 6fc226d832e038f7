"""With ``optimizer_state="fresh"`` a model goes on with a new optimizer of the same configuration, without state."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import compiled, counter, fit, same, slots, weights

from weightkit.errors import RequestError
from weightkit.training import FreezePlan, freeze, freeze_all_but, freeze_to, frozen, recompile, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of

ACTS = {
    "freeze": lambda model, **options: freeze(model, "part", **options),
    "unfreeze": lambda model, **options: unfreeze(model, "part", **options),
    "freeze_all_but": lambda model, **options: freeze_all_but(model, "head", **options),
    "freeze_to": lambda model, **options: freeze_to(model, 1, **options),
    "recompile": recompile,
}


def is_new(optimizer):
    """Whether no step was taken and all slots are zero."""
    return counter(optimizer) == 0 and not any(any(values) for values in slots(optimizer).values())


@pytest.mark.parametrize("act", list(ACTS))
@pytest.mark.parametrize("optimizer_state", ["carry", "fresh"])
def test_every_act_carries_the_state_or_starts_fresh(act, optimizer_state):
    model = compiled()
    fit(model)
    before = model.optimizer
    ACTS[act](model, optimizer_state=optimizer_state)
    assert model.optimizer is not before
    assert is_new(model.optimizer) == (optimizer_state == "fresh")
    assert {key for key, _ in slots(model.optimizer)} == {id(v) for v in model.trainable_variables}


def test_a_fresh_optimizer_keeps_the_configuration_and_the_present_learning_rate():
    model = compiled(optimizer="adamw")
    model.optimizer.learning_rate = 0.25
    fit(model)
    recompile(model, optimizer_state="fresh")
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert float(np.asarray(keras.ops.convert_to_numpy(model.optimizer.learning_rate))) == 0.25
    assert model.optimizer.weight_decay == keras.optimizers.AdamW().weight_decay


def test_training_with_a_fresh_optimizer_equals_training_of_a_newly_compiled_model():
    ours, theirs = compiled(), compiled()
    for model in (ours, theirs):
        fit(model)
    freeze(ours, "part", optimizer_state="fresh")
    theirs.get_layer("part").trainable = False
    theirs.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    assert fit(ours, 2) == fit(theirs, 2)
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    assert all(one.tobytes() == other.tobytes() for one, other in pairs)


def test_a_fresh_start_loses_parked_slots():
    model = compiled()
    fit(model)
    freeze(model, "part")
    assert parked_slots_of(model)
    unfreeze(model, "part", optimizer_state="fresh")
    assert not parked_slots_of(model)
    assert is_new(model.optimizer)


def test_a_fresh_start_makes_the_single_optimizer_of_a_multi_optimizer_again():
    model = compiled()
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part")
    assert isinstance(model.optimizer, keras.optimizers.MultiOptimizer)
    recompile(model, optimizer_state="fresh")
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert is_new(model.optimizer)
    fit(model)


def test_frozen_starts_fresh_at_both_ends():
    model = compiled()
    fit(model)
    with frozen(model, "part", optimizer_state="fresh"):
        assert is_new(model.optimizer)
        before = weights(model, "part")
        fit(model)
        assert same(weights(model, "part"), before)
    assert is_new(model.optimizer)
    assert len(model.trainable_variables) == 6


def test_a_plan_is_undone_and_applied_fresh(tmp_path):
    model = compiled()
    fit(model)
    plan = freeze(model, "part")
    plan.save(tmp_path / "plan.json")
    fit(model)
    plan.undo(optimizer_state="fresh")
    assert is_new(model.optimizer)
    fit(model)
    FreezePlan.load(tmp_path / "plan.json").apply(model, optimizer_state="fresh")
    assert is_new(model.optimizer)


@pytest.mark.parametrize("act", [act for act in ACTS if act != "recompile"])
def test_a_fresh_start_without_compiling_is_refused_and_nothing_changes(act):
    model = compiled()
    before = model.optimizer
    with pytest.raises(RequestError, match="optimizer_state must be 'carry' where recompile=False, got 'fresh'"):
        ACTS[act](model, recompile=False, optimizer_state="fresh")
    assert model.optimizer is before
    assert len(model.trainable_variables) == 6


@pytest.mark.parametrize("act", list(ACTS))
def test_another_optimizer_state_is_refused_and_nothing_changes(act):
    model = compiled()
    before = model.optimizer
    with pytest.raises(RequestError, match="optimizer_state must be one of 'carry', 'fresh', got 'reset'"):
        ACTS[act](model, optimizer_state="reset")
    with pytest.raises(RequestError, match="got 'reset'"), frozen(model, "part", optimizer_state="reset"):
        pass
    assert model.optimizer is before
    assert len(model.trainable_variables) == 6
