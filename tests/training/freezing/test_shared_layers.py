"""Freezing layers that several compiled models hold: each of them trains as the flags say, or none is changed."""

from __future__ import annotations

import keras
import pytest
from training_cases import X, Y, counter, fit, same, slots, weights

from weightkit.errors import RequestError
from weightkit.training import FreezePlan, NothingTrainedWarning, freeze, freeze_all_but, freeze_to, frozen, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of


def body():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, "tanh", name="low")(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(hidden), name="body")


def on_tensors(base):
    """A model of the base's tensors: the base is not one of its layers."""
    return keras.Model(base.input, keras.layers.Dense(1, name="head")(base.output), name="around")


def nested(base):
    """A model that has the base as a layer."""
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(base(inputs)), name="around")


def pair(shape=nested, *, eager=True):
    """A base that is not compiled and a compiled model around it, trained."""
    base = body()
    around = shape(base)
    around.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eager)
    fit(around)
    return base, around


@pytest.mark.every_backend
@pytest.mark.parametrize("shape", [on_tensors, nested])
def test_freezing_the_base_holds_in_the_trained_model_around_it(shape):
    base, around = pair(shape, eager=shape is nested)  # one of them traced
    plan = freeze(base, "**")
    assert any("around has some of these weights and was recompiled" in note for note in plan.notes)
    assert not any("is not compiled" in note for note in plan.notes)
    before, head = weights(base), weights(around, "head")
    fit(around)
    assert same(weights(base), before)
    assert not same(weights(around, "head"), head)
    plan.undo()
    fit(around)
    assert not any(before[key].tobytes() == values.tobytes() for key, values in weights(base).items())


def test_the_model_around_keeps_its_optimizer_state():
    base, around = pair()
    known = slots(around.optimizer)
    plan = freeze(base, "low")
    parked = {(k, n): v.tobytes() for k, kept in parked_slots_of(around).items() for n, v in kept.slots.items()}
    assert slots(around.optimizer) | parked == known
    assert counter(around.optimizer) == 3
    plan.undo()
    assert slots(around.optimizer) == known


def test_every_call_that_sets_flags_compiles_the_model_around():
    base, around = pair()

    def is_compiled_anew(act):
        earlier = around.optimizer
        act()
        now = {id(v) for v in around.optimizer._trainable_variables}
        assert now == {id(v) for v in around.trainable_variables}
        return around.optimizer is not earlier

    assert is_compiled_anew(lambda: freeze(base, "low"))
    assert is_compiled_anew(lambda: unfreeze(base, "low"))
    assert is_compiled_anew(lambda: freeze_to(base, 1))
    assert is_compiled_anew(lambda: freeze_all_but(base, "low"))
    plan = freeze(body(), "low/kernel")
    assert is_compiled_anew(lambda: FreezePlan.from_dict(plan.to_dict()).apply(base))
    assert is_compiled_anew(lambda: freeze(base.get_layer("norm"), "gamma"))
    assert is_compiled_anew(lambda: freeze(base, "kind:statistic"))
    assert not is_compiled_anew(lambda: freeze(base, "low/kernel"))


def test_all_of_a_base_may_be_frozen_without_a_warning_while_the_model_around_trains(recwarn):
    base, _ = pair()
    freeze(base, "**")
    assert not [one for one in recwarn if one.category is NothingTrainedWarning]


def test_models_that_do_not_train_these_weights_are_left_alone():
    base, around = pair()
    other, held = nested(body()), nested(base)
    for model in (other, held):
        model.compile("adam", "mse")
    held.trainable = False  # and everything below it
    base.trainable = True
    before = {model: model.optimizer for model in (other, held)}
    earlier = around.optimizer
    freeze(base, "low")
    assert around.optimizer is not earlier
    assert all(model.optimizer is optimizer for model, optimizer in before.items())


@pytest.mark.every_backend
def test_a_model_that_its_user_has_dropped_is_not_named():
    base, around = pair(on_tensors, eager=False)
    del around
    plan = freeze(base, "low")
    assert plan.notes[0] == "the model is not compiled: fit trains by these flags once it is"


def test_without_recompile_the_models_around_are_named():
    base, around = pair()
    optimizer = around.optimizer
    plan = freeze(base, "low", recompile=False)
    assert around.optimizer is optimizer
    assert plan.notes[0].startswith("around: compiled, with some of these weights, and not recompiled")


def test_one_that_cannot_be_compiled_again_is_named_and_nothing_changes():
    base, around = pair()
    second = on_tensors(base)
    second.compile("adam", "mse")
    second.others = [keras.optimizers.SGD()]
    flags = [v.trainable for v in base.variables]
    optimizer = around.optimizer
    with pytest.raises(RequestError, match=r"around holds weights of body .* several optimizers"):
        freeze(base, "low")
    assert [v.trainable for v in base.variables] == flags
    assert around.optimizer is optimizer


def interrupt_the_second_compile(monkeypatch):
    """The models that are compiled from now on."""
    compile_model, compiles = keras.Model.compile, []

    def interrupted(model, *arguments, **options):
        compiles.append(model)
        if len(compiles) == 2:
            raise KeyboardInterrupt
        compile_model(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "compile", interrupted)
    return compiles


def test_an_error_in_the_second_leaves_the_first_as_it_was(monkeypatch):
    base, around = pair()
    second = on_tensors(base)
    second.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    both = around, second
    before = [(vars(model).copy(), model.optimizer) for model in both]
    compiles = interrupt_the_second_compile(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        freeze(base, "low")
    assert len(compiles) == 2
    for model, (attributes, optimizer) in zip(both, before, strict=True):
        assert model.optimizer is optimizer
        assert vars(model).keys() == attributes.keys()
        assert not parked_slots_of(model)
    assert all(v.trainable for v in base.get_layer("low").variables)


@pytest.mark.parametrize("optimizer_state", ["carry", "own"])
def test_an_interruption_after_the_last_was_compiled_leaves_all_as_they_were(optimizer_state, monkeypatch):
    base, around = pair()
    before = around.optimizer

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("weightkit.training.optimizer.recompilation.Recompiled.summary", interrupted)
    with pytest.raises(KeyboardInterrupt), frozen(base, "low", optimizer_state=optimizer_state):
        pass
    assert around.optimizer is before
    assert not parked_slots_of(around)
    assert all(v.trainable for v in base.get_layer("low").variables)
    fit(around)


def test_an_error_in_the_second_leaves_what_the_metrics_of_the_first_hold(monkeypatch):
    base = body()
    metrics = [keras.metrics.MeanAbsoluteError() for _ in range(2)]
    models = [shape(base) for shape in (nested, on_tensors)]
    for model, metric in zip(models, metrics, strict=True):
        model.compile("sgd", "mse", metrics=[metric], run_eagerly=True)
        model.evaluate(X, Y, verbose=0)
    held = [[values_of(one).copy() for one in metric.variables] for metric in metrics]
    interrupt_the_second_compile(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        freeze(base, "low")
    for metric, old in zip(metrics, held, strict=True):
        assert old[1] == len(X)  # what it counted
        assert [values_of(one).tobytes() for one in metric.variables] == [one.tobytes() for one in old]


@pytest.mark.every_backend
def test_a_fit_of_the_model_around_forbids_flags_of_its_base():
    base, around = pair()
    refused = []

    class Freezes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(RequestError, match="around"):
                freeze(base, "low")
            refused.append(epoch)

    around.fit(X, Y, verbose=0, callbacks=[Freezes()])
    assert refused == [0]
    assert all(v.trainable for v in base.get_layer("low").variables)


@pytest.mark.every_backend
def test_frozen_holds_in_the_model_around_and_ends():
    base, around = pair()
    before = weights(base, "low")
    with frozen(base, "low"):
        fit(around)
    assert same(weights(base, "low"), before)
    fit(around)
    assert not same(weights(base, "low"), before)
