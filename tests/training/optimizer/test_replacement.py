"""``recompile`` with another optimizer, accumulation or loss weights keeps what fits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, counter, fit, slots

from weightkit.errors import RequestError
from weightkit.training import freeze, learning_rates, recompile, unfreeze
from weightkit.training.optimizer.slots import slots_of

make = keras.optimizers


def bits(model):
    return [keras.ops.convert_to_numpy(v).tobytes() for v in model.trainable_variables]


@pytest.mark.every_backend
def test_a_new_optimizer_of_the_class_goes_on_with_its_own_settings():
    ours, theirs = compiled(), compiled()
    for model in (ours, theirs):
        model.train_on_batch(X, Y)
    known, new = slots(ours.optimizer), make.Adam(0.5, beta_1=0.8)
    report = recompile(ours, optimizer=new)
    assert ours.optimizer is new
    assert (report.carried, report.new) == (6, 0)
    assert slots(ours.optimizer) == known
    assert counter(new) == 1
    # By hand: Adam reads its settings when it is applied.
    theirs.optimizer.beta_1, theirs.optimizer.learning_rate = 0.8, 0.5
    for model in (ours, theirs):
        model.train_on_batch(X, Y)
    assert bits(ours) == bits(theirs)


def test_another_class_starts_anew_and_the_loss_scale_goes_on():
    model = compiled(optimizer="loss_scale")
    freeze(model, "part")
    fit(model)
    model.optimizer.dynamic_scale.assign(8.0)
    report = recompile(model, optimizer="adamw")
    assert (report.carried, report.parked, report.restored, report.new, report.notes) == (0, 0, 0, 4, ())
    assert isinstance(model.optimizer.inner_optimizer, make.AdamW)
    assert float(model.optimizer.dynamic_scale) == 8
    assert counter(model.optimizer) == 0
    recompile(model, optimizer=make.LossScaleOptimizer(make.SGD(0.125)))
    assert float(model.optimizer.dynamic_scale) == 8
    assert float(model.optimizer.learning_rate) == 0.125
    fit(model)


def test_parked_slots_and_a_single_rate_come_with_a_new_optimizer():
    model = compiled()
    fit(model)
    known = slots(model.optimizer)
    learning_rates(model, {"head": 0.1, "**": 0.01})
    freeze(model, "part")
    recompile(model, optimizer=make.Adam(0.25))
    assert float(model.optimizer.learning_rate) == 0.25
    unfreeze(model, "part")
    assert slots(model.optimizer) == known
    assert counter(model.optimizer) == 3


def by_name(variable, known):
    return known["head" in variable.path]


@pytest.mark.parametrize("chosen", ["map", "function"])
def test_a_new_multi_optimizer_starts_anew_since_its_groups_have_their_own_step_counts(chosen):
    model, known = compiled(), [make.Adam(0.01), make.Adam(0.001)]
    freeze(model, "part")
    fit(model)
    groups = make.OptimizerMap(known[0], {".*head/.*": known[1]})
    new = make.MultiOptimizer(groups if chosen == "map" else lambda variable: by_name(variable, known))
    report = recompile(model, optimizer=new)
    assert (report.carried, report.parked, report.restored, report.new) == (0, 0, 0, 4)
    assert not any(np.any(keras.ops.convert_to_numpy(slot.variable)) for slot in slots_of(model.optimizer))
    assert [counter(one) for one in known] == [0, 0]
    fit(model)


def test_a_multi_optimizer_by_function_that_has_trained_nothing_is_recompiled_and_replaced():
    found = []
    for act in (
        lambda model: freeze(model, "part"),
        lambda model: recompile(model, learning_rate=0.5),
        lambda model: recompile(model, optimizer="adam"),
    ):
        model, known = compiled(), [make.SGD(0.25), make.Adam(0.125)]
        optimizer = make.MultiOptimizer(lambda variable, known=known: by_name(variable, known))
        model.compile(optimizer, "mse", run_eagerly=True)
        act(model)
        fit(model)
        inner = getattr(model.optimizer, "optimizers", [model.optimizer])
        found.append({type(one).__name__: round(float(one.learning_rate), 6) for one in inner})
    assert found == [{"SGD": 0.25, "Adam": 0.125}, {"SGD": 0.5, "Adam": 0.5}, {"Adam": 0.001}]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"optimizer": "adom"}, "optimizer must be one of Keras 3 or its name, got 'adom'"),
        ({"optimizer": "adam", "learning_rate": 0.1}, "optimizer must come without learning_rate"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be an integer >= 1, got 0"),
    ],
)
def test_wrong_arguments_change_nothing(arguments, problem):
    model = compiled()
    before = model.optimizer
    with pytest.raises(RequestError, match=problem):
        recompile(model, **arguments)
    assert model.optimizer is before


def test_what_cannot_go_on_is_refused():
    model, other = compiled(), compiled()
    freeze(model, "part")
    fit(model)
    with pytest.raises(RequestError, match=r"must be new, and adam\S* was built"):
        recompile(other, optimizer=model.optimizer)
    unfreeze(model, "part")
    fit(model)
    before = model.optimizer
    with pytest.raises(RequestError, match=r"must be at one step for a single optimizer, and are at \[3, 6\]"):
        recompile(model, optimizer=make.Adam())
    assert model.optimizer is before
    recompile(model, optimizer=make.Adam(), optimizer_state="fresh")
    assert counter(model.optimizer) == 0
    recompile(model, learning_rate=make.schedules.ExponentialDecay(0.1, 1, 0.5))
    with pytest.raises(RequestError, match="must stay where a schedule counts batches"):
        recompile(model, gradient_accumulation_steps=2)


def test_accumulation_keeps_the_count_of_updates_and_the_other_slots():
    model, plain = compiled(), compiled()
    fit(model), fit(plain)
    known = slots(model.optimizer)
    recompile(model, gradient_accumulation_steps=2)
    assert int(model.optimizer.iterations) == 3
    assert {key: value for key, value in slots(model.optimizer).items() if key[1] != "gradient_accumulator"} == known
    # Two batches of one half each are one update with the whole.
    for half in (slice(0, 6), slice(6, 12)):
        model.train_on_batch(X[half], Y[half])
    plain.train_on_batch(X, Y)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(model.get_weights(), plain.get_weights(), strict=True))
    model.train_on_batch(X, Y)  # half a window
    recompile(model, gradient_accumulation_steps=3)
    assert int(model.optimizer.iterations) == 4
    windows = [slot.variable for slot in slots_of(model.optimizer) if slot.name == "gradient_accumulator"]
    assert not any(np.any(keras.ops.convert_to_numpy(one)) for one in windows)
    recompile(model, gradient_accumulation_steps=1)
    assert model.optimizer.gradient_accumulation_steps is None
    assert counter(model.optimizer) == 4


def test_loss_weights_change_and_all_else_stays():
    model = compiled(loss=["mse"], loss_weights=[1.0])
    fit(model)
    known, before = slots(model.optimizer), model.evaluate(X, Y, verbose=0)
    recompile(model, loss_weights=[0.5])
    assert slots(model.optimizer) == known
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(before / 2)
    recompile(model)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(before / 2)
