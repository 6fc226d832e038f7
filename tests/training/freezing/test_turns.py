"""Alternate training: weights that are frozen in turn, each side with its own optimizer and compiled functions."""

from __future__ import annotations

import gc
import warnings
import weakref
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from training_cases import counter, same, slots, weights

from weightkit.errors import RequestError
from weightkit.training import freeze, frozen
from weightkit.training.optimizer.parked_slots import add_parked_slots
from weightkit.training.optimizer.slot_values import values_of

NOISE = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
REAL = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
ONES, LABELS = np.ones((8, 1), "float32"), np.arange(8, dtype="float32")[:, None] % 2
BACKEND = keras.backend.backend()


class Calls(keras.layers.Layer):
    """Counts how often Python runs it: where steps are compiled, once for each trace."""

    count = 0

    def call(self, inputs):
        self.count += 1
        return inputs


def made(*, eager=True):
    """The parts of a GAN, always the same."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh"), layers.BatchNormalization()], name="generator"
    )
    body = [layers.BatchNormalization(), layers.Dropout(0.2, seed=3), layers.Dense(1)]
    discriminator = keras.Sequential([keras.Input((4,)), calls := Calls(), *body], name="discriminator")
    noise = keras.Input((3,))
    outputs = discriminator(generator(noise))
    return SimpleNamespace(
        generator=generator,
        discriminator=discriminator,
        calls=calls,
        gan=keras.Model(noise, outputs, name="gan"),
        second=keras.Model(noise, outputs, name="second"),
        # Compiling with XLA on TensorFlow takes seconds.
        compiling={"loss": "mse", "run_eagerly": eager, "jit_compile": not eager and BACKEND == "jax"},
    )


def compiled(optimizer=lambda rate: keras.optimizers.SGD(rate, momentum=0.9), *, eager=True):
    parts = made(eager=eager)
    parts.discriminator.compile(optimizer(0.02), **parts.compiling)
    parts.gan.compile(optimizer(0.01), **parts.compiling)
    return parts


def by_hand(parts, rounds):
    """The classic recipe: flags are set before each compile and each step."""
    parts.discriminator.compile(keras.optimizers.Adam(0.02), **parts.compiling)
    parts.discriminator.trainable = False
    parts.gan.compile(keras.optimizers.Adam(0.01), **parts.compiling)
    for _ in range(rounds):
        parts.discriminator.trainable = True
        parts.discriminator.train_on_batch(REAL, LABELS)
        parts.discriminator.trainable = False
        parts.gan.train_on_batch(NOISE, ONES)


def values(model):
    return [values_of(variable).tobytes() for variable in model.variables]


def state(model):
    """What a block must leave as it was."""
    layers = [(layer.name, layer.trainable) for layer in model._flatten_layers()]
    flags = [(variable.path, variable.trainable) for variable in model.variables]
    return layers, flags, model.optimizer, model.train_function, model._compile_config


@pytest.mark.every_backend
def test_a_gan_trains_as_two_models_compiled_by_hand_and_compiles_once_a_side(monkeypatch):
    hand, ours = made(eager=False), compiled(keras.optimizers.Adam, eager=False)
    by_hand(hand, 3)
    compiles, traces, seen = [], [], set()
    monkeypatch.setattr(keras.Model, "compile", lambda *_, **__: compiles.append(1))
    discriminator, gan = ours.discriminator, ours.gan
    for _ in range(3):
        discriminator.train_on_batch(REAL, LABELS)
        outside = state(discriminator), state(gan)
        with frozen(gan, "discriminator", optimizer_state="own"):
            gan.train_on_batch(NOISE, ONES)
            seen.add((gan.optimizer, gan.train_function, discriminator.optimizer))
        assert (state(discriminator), state(gan)) == outside
        traces.append(ours.calls.count)
    assert values(gan) == values(hand.gan)
    assert values(discriminator.optimizer) == values(hand.discriminator.optimizer)
    ((optimizer, function, _),) = seen
    assert values(optimizer) == values(hand.gan.optimizer)
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert function is not None
    assert compiles == []
    if BACKEND != "torch":  # it runs eagerly
        assert traces[0] == traces[2]


@pytest.mark.every_backend
def test_two_halves_of_one_model_in_turn_train_as_two_models_compiled_by_hand():
    hand, ours = made(eager=False), made(eager=False)
    halves = {"generator": hand.gan, "discriminator": hand.second}
    for name, model in halves.items():
        getattr(hand, name).trainable = False
        model.compile(keras.optimizers.Adam(0.01), **hand.compiling)
        getattr(hand, name).trainable = True
    ours.gan.compile(keras.optimizers.Adam(0.01), **ours.compiling)
    base, functions, traces = ours.gan.optimizer, {}, []
    for number in range(3):
        for name, model in halves.items():
            getattr(hand, name).trainable = False
            model.train_on_batch(NOISE, LABELS)
            getattr(hand, name).trainable = True
            with frozen(ours.gan, name, optimizer_state="own"):
                ours.gan.train_on_batch(NOISE, LABELS)
                assert functions.setdefault(name, ours.gan.train_function) is ours.gan.train_function
                assert counter(ours.gan.optimizer) == number + 1
                assert values(ours.gan.optimizer) == values(model.optimizer)
        traces.append(ours.calls.count)
    assert values(ours.gan) == values(hand.gan)
    assert ours.gan.optimizer is base
    assert ours.gan.train_function is None
    if BACKEND != "torch":
        assert traces[0] == traces[2]


def fail_within(model):
    with frozen(model, "discriminator", optimizer_state="own"):
        model.train_on_batch(NOISE, ONES)
        raise ZeroDivisionError


@pytest.mark.every_backend
def test_an_error_or_a_running_loop_changes_nothing():
    ours = compiled()
    ours.gan.train_on_batch(NOISE, ONES)
    ours.discriminator.train_on_batch(REAL, LABELS)
    outside = state(ours.discriminator), state(ours.gan)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail_within(ours.gan)
        assert (state(ours.discriminator), state(ours.gan)) == outside
    refused = []

    class Freezes(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            with (
                pytest.raises(RequestError, match="while predict of gan is running"),
                frozen(ours.gan, "discriminator", optimizer_state="own"),
            ):
                pass
            refused.append(batch)

    ours.gan.predict(NOISE, verbose=0, callbacks=[Freezes()])
    assert refused == [0]
    assert (state(ours.discriminator), state(ours.gan)) == outside


def enter(model, where="discriminator", **options):
    """The optimizer and train function that a model has in a block, after a step."""
    with frozen(model, where, optimizer_state="own", **options):
        model.train_on_batch(NOISE, ONES)
        return model.optimizer, model.train_function


def test_what_has_changed_between_two_entries_is_noticed():
    ours = compiled()
    gan, discriminator = ours.gan, ours.discriminator
    first = enter(gan)
    assert enter(gan) == first
    gan.run_eagerly = False
    optimizer, function = enter(gan)
    assert (optimizer is first[0], function is first[1]) == (True, False)
    gan.run_eagerly = True
    kernel = ours.generator.layers[0].kernel
    kernel.trainable = False  # by hand
    optimizer, _ = enter(gan)
    assert optimizer is not first[0]
    assert not any(one is kernel for one in optimizer._trainable_variables)
    kernel.trainable = True
    first = enter(gan)
    discriminator.add(keras.layers.Dense(1))
    discriminator.layers[-1].trainable = False
    optimizer, function = enter(gan)
    assert (optimizer is first[0], function is first[1]) == (True, False)
    gan.compile(keras.optimizers.SGD(0.5), "mae", run_eagerly=True)
    optimizer, _ = enter(gan)
    assert (counter(optimizer), float(optimizer.learning_rate)) == (1, 0.5)


def test_another_model_that_was_compiled_since_is_frozen_too():
    ours = compiled()
    optimizer, function = enter(ours.gan)
    second = ours.second
    second.compile(keras.optimizers.Adam(0.01), **ours.compiling)
    before = weights(ours.discriminator)
    with frozen(ours.gan, "discriminator", optimizer_state="own"):
        second.train_on_batch(NOISE, ONES)
        third = keras.Model(second.input, second.output)
        third.compile(keras.optimizers.Adam(0.01), **ours.compiling)
    assert same(weights(ours.discriminator), before)
    assert len(third.optimizer._trainable_variables) == len(third.trainable_variables)
    assert enter(ours.gan) == (optimizer, function)
    assert same(weights(ours.discriminator), before)
    third.train_on_batch(NOISE, ONES)
    assert not same(weights(ours.discriminator), before)


@pytest.mark.every_backend
def test_flags_that_change_inside_end_with_the_optimizers_of_the_outside():
    ours = compiled()
    gan, discriminator = ours.gan, ours.discriminator
    discriminator.train_on_batch(REAL, LABELS)
    known = values(discriminator.optimizer)
    for _ in range(2):
        with frozen(gan, "discriminator", optimizer_state="own"):
            gan.train_on_batch(NOISE, ONES)
            kernel = ours.generator.layers[0].kernel
            kernel.trainable = False
        assert not kernel.trainable  # what others changed stays
        assert all(variable.trainable for variable in discriminator.layers[1]._trainable_variables)
        assert values(discriminator.optimizer) == known
        assert {id(v) for v in gan.optimizer._trainable_variables} == {id(v) for v in gan.trainable_variables}
        gan.train_on_batch(NOISE, ONES)


def test_blocks_within_blocks_and_compiles_inside_end_well():
    ours = compiled()
    gan = ours.gan
    outside = state(gan)
    inner = set()
    for _ in range(2):
        with frozen(gan, "discriminator", optimizer_state="own"):
            optimizer = gan.optimizer
            with frozen(gan, ["generator/**/kernel"], exclude="discriminator", optimizer_state="own"):
                gan.train_on_batch(NOISE, ONES)
                inner.add(gan.optimizer)
            assert gan.optimizer is optimizer
        assert state(gan) == outside
    assert len(inner) == 1
    with frozen(gan, "discriminator", optimizer_state="own"):
        gan.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=True)
        freeze(gan, "generator/**/bias")
    assert (float(gan.optimizer.learning_rate), len(gan.optimizer._trainable_variables)) == (0.5, 7)
    gan.train_on_batch(NOISE, ONES)


def test_the_optimizer_of_a_side_is_an_optimizer_like_any_other(tmp_path):
    ours = compiled()
    gan = ours.gan
    with frozen(gan, lambda ref: "discriminator" in ref.path, optimizer_state="own"):
        gan.optimizer.learning_rate = 0.5
        gan.fit(NOISE, ONES, verbose=0)
        gan.save(tmp_path / "gan.keras")
        saved = values(gan.optimizer)
    with frozen(gan, [ours.discriminator], optimizer_state="own"):  # the same weights, said in another way
        assert float(gan.optimizer.learning_rate) == 0.5
        assert values(gan.optimizer) == saved
    assert float(gan.optimizer.learning_rate) == pytest.approx(0.01)
    custom = {"Calls": Calls}
    loaded = keras.saving.load_model(tmp_path / "gan.keras", custom_objects=custom)
    assert values(loaded.optimizer) == saved
    with pytest.raises(RequestError, match="'carry', 'fresh', 'own'"), frozen(gan, "generator", optimizer_state="mine"):
        pass


def test_slots_that_are_parked_outside_come_back_after_a_block():
    gan = compiled().gan
    gan.train_on_batch(NOISE, ONES)
    known = slots(gan.optimizer)
    plan = freeze(gan, "generator/**/kernel")
    with frozen(gan, "discriminator", optimizer_state="own"):
        add_parked_slots(gan, {})  # as loading an optimizer's state does
    plan.undo()
    assert slots(gan.optimizer) == known


@pytest.mark.every_backend
def test_dead_models_are_freed():
    ours = compiled()
    base = ours.discriminator
    base.compiled = False  # not compiled itself: the turns begin at it, with the model around it
    for _ in range(2):
        with frozen(base, base, optimizer_state="own"):
            ours.gan.train_on_batch(NOISE, ONES)
    gone = [weakref.ref(ours.gan), weakref.ref(ours.gan.optimizer)]
    del ours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what other tests have left
        gc.collect()
    assert [one() for one in gone] == [None] * 2
    with pytest.warns(UserWarning, match="no weight"), frozen(base, base, optimizer_state="own"):
        pass
    gone = weakref.ref(base)
    del base
    gc.collect()
    assert gone() is None
