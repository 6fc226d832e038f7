"""Undoing an unfreeze gives the optimizer back as it was built; every way to unfreeze asks how late weights begin."""

from __future__ import annotations

import keras
import pytest
from training_cases import compiled, counter, fit, slots, weights

from weightkit.errors import RequestError
from weightkit.training import FreezePlan, freeze, frozen, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of

SEVERAL = keras.optimizers.MultiOptimizer


def inside(optimizer):
    """What a LossScaleOptimizer wraps, or the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def late(optimizer="adam"):
    """A model of which ``part`` and ``middle`` were frozen before the first step."""
    model = compiled(optimizer=optimizer)
    freeze(model, ["part", "middle"])
    fit(model)
    return model


@pytest.mark.parametrize("optimizer", ["adam", "accumulation", "loss_scale"])
def test_undoing_an_unfreeze_gives_a_single_optimizer_back_with_the_slots_of_all_others(optimizer):
    model, plain = late(optimizer), late(optimizer)
    kind = type(inside(model.optimizer))
    plan = unfreeze(model, "part")
    assert isinstance(inside(model.optimizer), SEVERAL)
    plan.undo()
    assert type(inside(model.optimizer)) is kind
    assert counter(model.optimizer) == counter(plain.optimizer)
    assert [*slots(model.optimizer).values()] == [*slots(plain.optimizer).values()]
    assert not parked_slots_of(model)
    assert fit(model) == fit(plain)
    assert [*slots(model.optimizer).values()] == [*slots(plain.optimizer).values()]


def test_after_steps_the_slots_that_stay_are_bit_equal_and_late_weights_begin_anew():
    model = late()
    plan = unfreeze(model, "part")
    fit(model)
    stays = {id(v) for v in model.get_layer("head").trainable_variables}
    before = {key: values for key, values in slots(model.optimizer).items() if key[0] in stays}
    plan.undo()
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert slots(model.optimizer) == before
    assert counter(model.optimizer) == 6
    assert fit(model)
    unfreeze(model, "part")
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [0, 9]


def test_several_optimizers_stay_while_another_weight_needs_its_own():
    model = late()
    first = unfreeze(model, "part")
    second = unfreeze(model, "middle")
    fit(model)
    second.undo()
    assert isinstance(model.optimizer, SEVERAL)
    assert len(parked_slots_of(model)) == 2
    first.undo()
    assert isinstance(model.optimizer, SEVERAL)  # middle's slots wait, with the steps that they have counted
    unfreeze(model, ["part", "middle"])
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [3, 3, 6]


def test_a_freeze_keeps_the_steps_that_late_weights_have_counted():
    model = late()
    unfreeze(model, "part")
    fit(model)
    freeze(model, "part").undo()
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [3, 6]


def test_a_multi_optimizer_of_the_users_own_is_none_of_ours():
    model = compiled()
    known = keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01), {".*part/.*": keras.optimizers.SGD(0.1, 0.9)})
    model.compile(SEVERAL(known), "mse", run_eagerly=True)
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part").undo()
    assert isinstance(model.optimizer, SEVERAL)


@pytest.mark.parametrize(("step_count", "several"), [("shared", False), ("separate", True)])
def test_every_way_to_unfreeze_asks_how_late_weights_begin(step_count, several):
    undone = compiled()
    plan = freeze(undone, "part")
    fit(undone)
    plan.undo(step_count=step_count)
    assert isinstance(undone.optimizer, SEVERAL) == several

    within = compiled()
    with frozen(within, "part", step_count=step_count):
        fit(within)
    assert isinstance(within.optimizer, SEVERAL) == several

    applied = late()
    plan = FreezePlan.from_dict(unfreeze(compiled(), "**").to_dict())
    plan.apply(applied, step_count=step_count)
    assert isinstance(applied.optimizer, SEVERAL) == several


def test_words_that_are_not_known_are_refused_and_nothing_is_changed():
    model = late()
    plan = unfreeze(model, "part")
    before, optimizer = weights(model), model.optimizer
    with pytest.raises(RequestError, match="'separate', 'shared'"):
        plan.undo(step_count="maybe")
    with pytest.raises(RequestError, match="'separate', 'shared'"):
        plan.apply(model, step_count="maybe")
    with pytest.raises(RequestError, match="'separate', 'shared'"), frozen(model, "part", step_count="maybe"):
        pass
    assert weights(model).keys() == before.keys()
    assert model.optimizer is optimizer
    assert model.get_layer("part").trainable
