"""Optimizers of training loops of one's own: their state is saved, loaded and carried as that of compiled models."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import sequential, subclassed

from weightkit import load_weights
from weightkit.errors import RequestError
from weightkit.training import carry_optimizer, freeze, load_optimizer_state, recompile, save_optimizer_state, unfreeze
from weightkit.training.optimizer.slot_values import read_slots, values_of

GRADIENTS = [np.random.default_rng(seed).normal(size=(4, 4)).astype("float32") for seed in range(9)]


def made():
    keras.utils.set_random_seed(1)
    return sequential()


def adam(**settings):
    return keras.optimizers.AdamW(0.01, **settings)


def steps(optimizer, variables, numbers):
    """A loop of one's own: the gradient of each variable in each step is a corner of one matrix."""
    for number in numbers:
        matrix = GRADIENTS[number]
        values = [matrix[tuple(slice(size) for size in one.shape)] if len(one.shape) > 1 else matrix[0, : one.shape[0]]
                  for one in variables]  # fmt: skip
        optimizer.apply([keras.ops.convert_to_tensor(one) for one in values], list(variables))


def bits(variables):
    return [values_of(one).tobytes() for one in variables]


def slots(optimizer, variables):
    known = read_slots(optimizer)
    return [{name: one.tobytes() for name, one in known[id(each)].slots.items()} for each in variables]


@pytest.mark.every_backend
def test_a_carried_optimizer_trains_on_as_if_the_rest_had_never_been_frozen():
    model = made()
    part, rest = model.layers[0].trainable_variables, model.trainable_variables[2:]
    first = adam(use_ema=True)
    first.build(model.trainable_variables)
    steps(first, model.trainable_variables, range(3))
    waiting, old = slots(first, part), bits(first.variables)
    freeze(model, "part")
    carried = carry_optimizer(first, model)
    assert str(carried) == "slots of 4 weights carried, 2 parked, 0 restored, 0 new"
    assert bits(first.variables) == old
    steps(carried.optimizer, model.trainable_variables, range(3, 5))
    alone = made()  # another optimizer, which never had the frozen ones
    plain = adam(use_ema=True)
    of_rest = alone.trainable_variables[2:]
    plain.build(of_rest)
    steps(plain, of_rest, range(5))
    assert bits(rest) == bits(of_rest)
    assert slots(carried.optimizer, rest) == slots(plain, of_rest)
    unfreeze(model, "part")
    back = carry_optimizer(carried.optimizer, [*part, *rest], learning_rate=np.float32(0.5))
    assert back.slots.restored == 2
    assert slots(back.optimizer, part) == waiting
    assert float(back.optimizer.learning_rate) == 0.5
    assert int(back.optimizer.iterations) == 5


@pytest.mark.parametrize("of", [lambda model: model, lambda model: model.trainable_variables, None])
def test_a_loop_that_stopped_and_went_on_equals_one_that_never_stopped(of, tmp_path):
    model, optimizer = made(), adam(amsgrad=True, gradient_accumulation_steps=2)
    optimizer.build(model.trainable_variables)
    steps(optimizer, model.trainable_variables, range(3))
    report = save_optimizer_state(optimizer, tmp_path / "opt.h5", variables=of and of(model))
    assert (report.weights, report.parked) == (6, 0)
    model.save_weights(tmp_path / "m.weights.h5")
    again, other = made(), adam(amsgrad=True, gradient_accumulation_steps=2)
    load_weights(again, tmp_path / "m.weights.h5")
    load_optimizer_state(other, tmp_path / "opt.h5", variables=(of or list)(again if of else again.trainable_variables))
    for one, trained in ((model, optimizer), (again, other)):
        steps(trained, one.trainable_variables, range(3, 6))
    assert bits(again.variables) == bits(model.variables)
    assert bits(other.variables) == bits(optimizer.variables)


@pytest.mark.every_backend
def test_a_file_of_a_compiled_model_serves_a_loop_and_slots_of_frozen_weights_wait(tmp_path):
    model = made()
    model.compile(adam(), "mse", run_eagerly=True)
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 1)))
    save_optimizer_state(model, tmp_path / "opt.h5")
    again = made()
    part = again.layers[0].trainable_variables
    freeze(again, "part")
    optimizer = adam()
    report = load_optimizer_state(optimizer, tmp_path / "opt.h5", variables=again)
    assert (report.weights, report.parked) == (4, 2)
    assert len(slots(optimizer, again.trainable_variables)) == 4
    save_optimizer_state(optimizer, tmp_path / "again.h5", variables=again)  # with what waits
    unfreeze(again, "part")
    carried = carry_optimizer(optimizer, again).optimizer
    assert slots(carried, part) == slots(model.optimizer, model.layers[0].trainable_variables)
    loaded = adam()
    assert load_optimizer_state(loaded, tmp_path / "again.h5", variables=again).weights == 6
    assert slots(loaded, part) == slots(carried, part)


@pytest.mark.parametrize("scaled", [False, True])
def test_weights_that_are_trained_late_count_their_own_steps(scaled):
    model = made()
    freeze(model, "part")
    inner = adam()
    optimizer = keras.optimizers.LossScaleOptimizer(inner) if scaled else inner
    optimizer.build(model.trainable_variables)
    # On JAX, a LossScaleOptimizer takes steps in traced functions alone (Keras 3.15).
    steps(inner, model.trainable_variables, range(5))
    unfreeze(model, "part")
    carried = carry_optimizer(optimizer, model)
    assert carried.slots.new == 2
    assert "count their own steps" in str(carried)
    fresh, alone = adam(), [keras.Variable(values_of(one)) for one in model.layers[0].trainable_variables]
    fresh.build(alone)
    steps(fresh, alone, range(1))
    if not scaled:  # the scale would divide the gradients first
        steps(carried.optimizer, model.trainable_variables, range(1))
        assert bits(alone) == bits(model.layers[0].trainable_variables)
    shared = carry_optimizer(optimizer, model, step_count="shared")
    assert type(shared.optimizer) is type(optimizer)


def test_what_cannot_be_meant_is_refused_in_words(tmp_path):
    model, path = made(), tmp_path / "x.h5"
    for act, said in (
        (lambda: save_optimizer_state(adam(), path), "is not built, so variables must be given"),
        (lambda: carry_optimizer(adam(), 3), "variables must be a model or a list of variables, got 3"),
        (lambda: carry_optimizer(adam(), []), r"variables must be a model or a list .*, got \[\]"),
        (lambda: carry_optimizer(model, model), "optimizer must be an optimizer of Keras 3, got Sequential"),
        (lambda: carry_optimizer(adam(), model, step_count="own"), "step_count must be one of"),
        (lambda: carry_optimizer(adam(), model, learning_rate=-1), "learning_rate must be a finite number"),
        (lambda: save_optimizer_state(model, path), "must be compiled with an optimizer, and is not"),
        (
            lambda: load_optimizer_state(adam(), path, variables=model, step_count="separate"),
            "step_count must be 'shared' for an optimizer without",
        ),
    ):
        with pytest.raises(RequestError, match=said):
            act()


def test_variables_must_hold_what_the_optimizer_was_built_on_and_are_for_optimizers_alone(tmp_path):
    model, other = made(), subclassed()
    optimizer = adam()
    optimizer.build(model.trainable_variables)
    for act in (
        lambda: carry_optimizer(optimizer, other),
        lambda: save_optimizer_state(optimizer, tmp_path / "x.h5", variables=model.trainable_variables[1:]),
    ):
        with pytest.raises(RequestError, match="variables must have all that AdamW was built on, and lack"):
            act()
    model.compile(adam(), "mse")
    with pytest.raises(RequestError, match="variables must be left out for a model"):
        save_optimizer_state(model, tmp_path / "x.h5", variables=model)
    with pytest.raises(RequestError, match="learning_rate must be a finite number >= 0"):
        recompile(model, learning_rate=np.float32("nan"))
    assert not list(tmp_path.iterdir())
