"""Learning rates by selection equal separate optimizers by hand, and are carried by everything that compiles again."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import OPTIMIZERS, X, Y, compiled, counter, fit, slots, subclassed

from weightkit import load_weights
from weightkit.errors import RequestError, SelectionError
from weightkit.training import (
    GroupedOptimizer,
    freeze,
    learning_rates,
    load_optimizer_state,
    recompile,
    save_optimizer_state,
    trainable_summary,
    unfreeze,
)

RATES = {"part": 0.01, "**": 0.001}


def rate_by_layer(model):
    return {layer.layer: layer.learning_rates for layer in trainable_summary(model).layers}


def bits(model):
    return [keras.ops.convert_to_numpy(v).tobytes() for v in model.trainable_variables]


def gradients(model, seed):
    rng = np.random.default_rng(seed)
    return [keras.ops.convert_to_tensor(rng.normal(size=v.shape), "float32") for v in model.trainable_variables]


@pytest.mark.every_backend
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_two_rates_equal_two_optimizers_by_hand(optimizer):
    ours, theirs = compiled(optimizer=optimizer), compiled(optimizer=optimizer)
    first, second = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    ours.optimizer.build(ours.trainable_variables)

    def step(seed):
        ours.optimizer.apply(gradients(ours, seed), ours.trainable_variables)
        of_all = list(zip(gradients(theirs, seed), theirs.trainable_variables, strict=True))
        first.apply(*zip(*of_all[:2], strict=True))
        second.apply(*zip(*of_all[2:], strict=True))
        assert bits(ours) == bits(theirs)

    step(0)
    step(1)
    learning_rates(ours, RATES)
    second.learning_rate = 0.001
    step(2)
    step(3)
    ours.optimizer.learning_rate = 0.005
    first.learning_rate, second.learning_rate = 0.005, 0.0005
    step(4)


def test_a_fit_with_two_rates_equals_a_multi_optimizer_by_hand():
    ours, theirs, make = compiled(), compiled(), keras.optimizers
    inner = make.Adam(0.01), make.Adam(0.01)
    theirs.compile(make.MultiOptimizer(make.OptimizerMap(inner[0], {".*part/.*": inner[1]})), "mse", run_eagerly=True)
    fit(ours), fit(theirs)
    learning_rates(ours, RATES)
    inner[0].learning_rate = 0.001
    assert fit(ours) == fit(theirs)
    assert bits(ours) == bits(theirs)


def test_rates_are_carried_by_freezing_recompiling_and_files(tmp_path):
    model = compiled()
    fit(model)
    known = slots(model.optimizer)
    report = learning_rates(model, {"head": 0.004, "part/kernel": 0.002, "**": 0.001})
    assert (report.carried, report.new) == (6, 0)
    assert slots(model.optimizer) == known
    wanted = {"part": (0.002, 0.001), "middle": (0.001,), "head": (0.004,)}
    assert all(np.allclose(rate_by_layer(model)[name], rates) for name, rates in wanted.items())
    before = rate_by_layer(model)
    freeze(model, "part")
    assert rate_by_layer(model) == before | {"part": ()}
    unfreeze(model, "part")
    recompile(model)
    assert rate_by_layer(model) == before
    recompile(model, optimizer_state="fresh")
    assert rate_by_layer(model) == before
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    assert rate_by_layer(loaded) == before
    assert fit(loaded) == fit(model)
    assert len({one.name for one in model.optimizer.inner_optimizers}) == 3


def test_the_state_of_groups_is_loaded_into_a_model_of_another_automatic_name(tmp_path):
    model = compiled(optimizer="loss_scale")
    learning_rates(model, RATES)
    fit(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    model.save(tmp_path / "model.keras")
    for name in ("opt.h5", "model.keras"):
        other = compiled(optimizer="loss_scale")
        assert other.name != model.name
        learning_rates(other, RATES)
        load_weights(other, tmp_path / "model.keras")
        load_optimizer_state(other, tmp_path / name)
        assert sorted(slots(other.optimizer).values()) == sorted(slots(model.optimizer).values())
        assert counter(other.optimizer) == counter(model.optimizer)


def test_equal_rates_make_one_optimizer_again_which_goes_on_bit_for_bit():
    model, plain = compiled(), compiled()
    learning_rates(model, RATES)
    assert len(model.optimizer.inner_optimizers) == 2
    learning_rates(model, {"head": 0.01, "**": 0.002})
    assert len(model.optimizer.inner_optimizers) == 2
    learning_rates(model, {"**": 0.01})
    assert type(model.optimizer) is type(plain.optimizer)
    fit(model), fit(plain)
    learning_rates(model, {"**": 0.01})
    assert fit(model) == fit(plain)
    assert bits(model) == bits(plain)


def test_unfreeze_gives_a_rate_in_one_line():
    model = compiled()
    freeze(model, "part")
    fit(model)
    plan = unfreeze(model, "part", learning_rate=0.001)
    assert np.allclose(rate_by_layer(model)["part"], 0.001)
    assert np.allclose(rate_by_layer(model)["head"], 0.01)
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [0, 3]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    fit(model)
    plan.undo()
    assert rate_by_layer(model)["part"] == ()
    unfreeze(model, "part")
    assert np.allclose(rate_by_layer(model)["part"], 0.001)
    unfreeze(model, "part", learning_rate=0.002, optimizer_state="fresh")
    assert np.allclose(rate_by_layer(model)["part"], 0.002)
    assert slots(model.optimizer)
    for options, problem in (({"recompile": False}, "recompile must be True"), ({}, "needs a compiled model")):
        other = compiled() if options else subclassed()
        with pytest.raises(RequestError, match=problem):
            unfreeze(other, "part", learning_rate=0.1, **options)


def test_rates_in_a_loss_scale_are_set_by_callbacks():
    model = compiled(optimizer="loss_scale")
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part", learning_rate=0.001)
    learning_rates(model, {"head": 0.02, "middle": 0.004, "part": 0.002})
    halve = keras.callbacks.LearningRateScheduler(lambda _, rate: rate * 0.5)
    known = model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve]).history
    assert np.allclose(known["learning_rate"], [0.01, 0.005])
    assert [round(rate_by_layer(model)[name][0], 6) for name in ("part", "middle", "head")] == [0.0005, 0.001, 0.005]


def test_a_schedule_as_a_rate_goes_on_from_the_present_step():
    model, schedule = compiled(), keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.5, 0.25])
    fit(model)
    learning_rates(model, {"head": schedule, "**": 0.001})
    assert rate_by_layer(model)["head"] == (0.5,)
    fit(model)
    recompile(model)
    assert rate_by_layer(model)["head"] == (0.25,)
    assert np.allclose(rate_by_layer(model)["part"], 0.001)
    learning_rates(model, {"**": 0.001})
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert counter(model.optimizer) == 6


@pytest.mark.parametrize(
    ("rates", "problem"),
    [
        (
            {"head": 0.1},
            "weight must get a learning rate, and part/kernel, part/bias, middle/kernel and 1 more got none",
        ),
        ({"head": -0.1, "**": 0.1}, "the learning rate of 'head' must be a finite number >= 0 or a schedule, got -0.1"),
        ({"**": "fast"}, "must be a finite number >= 0 or a schedule, got 'fast'"),
        ({"hed": 0.1, "**": 0.1}, "hed"),
        ([("head", 0.1)], "rates must map selections to learning rates, got list"),
    ],
)
def test_wrong_rates_change_nothing(rates, problem):
    model = compiled()
    before = model.optimizer
    with pytest.raises((RequestError, SelectionError), match=problem):
        learning_rates(model, rates)
    assert model.optimizer is before


def test_what_cannot_have_groups_is_refused():
    model = compiled()
    model.compile(keras.optimizers.Adam(0.01, global_clipnorm=1.0), "mse", run_eagerly=True)
    before = model.optimizer
    with pytest.raises(RequestError, match="global_clipnorm must train all weights with one learning rate"):
        learning_rates(model, RATES)
    assert model.optimizer is before
    learning_rates(model, {"**": 0.5})
    assert float(model.optimizer.learning_rate) == 0.5
    with pytest.raises(RequestError, match="must be compiled"):
        learning_rates(subclassed(), RATES)
    errors = []

    def late(*_):
        with pytest.raises(RequestError, match="must not be compiled") as caught:
            learning_rates(running, RATES)
        errors.append(caught)

    running = compiled()
    running.fit(X, Y, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=late)])
    assert errors


def test_frozen_weights_get_their_rate_for_later_and_keep_another_one():
    model = compiled()
    freeze(model, ["part", "middle"])
    learning_rates(model, {"head": 0.004, "part": 0.002})
    assert float(model.optimizer.learning_rate) == pytest.approx(0.004)
    unfreeze(model, ["part", "middle"])
    assert isinstance(model.optimizer, GroupedOptimizer)
    assert [round(rate_by_layer(model)[name][0], 6) for name in ("part", "middle", "head")] == [0.002, 0.01, 0.004]


def test_a_saved_model_with_sequential_models_in_it_loads_and_goes_on(tmp_path):
    def body(name):
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name=f"{name}_low")], name=name)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(body("second")(body("first")(inputs))))
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    fit(model)
    learning_rates(model, {"first": 1e-4, "second": 1e-3, "**": 1e-2})
    fit(model)
    model.save(tmp_path / "nested.keras")
    loaded = keras.saving.load_model(tmp_path / "nested.keras")
    loaded.run_eagerly = True
    for one in (model, loaded):
        fit(one)
    assert all((one == other).all() for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True))
