"""What may be done to a model while a loop of Keras runs for it, and that a refusal changes nothing."""

from __future__ import annotations

import threading

import h5py
import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, fit, same, sequential, traced, weights

from weightkit import diff, open_weights, reinitialize, scale, show
from weightkit.errors import RequestError
from weightkit.layers import LowRank, bake, parametrize
from weightkit.training import (
    check_model,
    freeze,
    freeze_all_but,
    freeze_to,
    frozen,
    load_optimizer_state,
    recompile,
    save_optimizer_state,
    trainable_summary,
    unfreeze,
    verify_training,
)

pytestmark = pytest.mark.every_backend
LOOPS = ("train", "test", "predict")
HOOKS = [f"on_{loop}_{part}" for loop in LOOPS for part in ("begin", "batch_begin", "batch_end", "end")]
HOOKS += ["on_epoch_begin", "on_epoch_end"]


class Calling(keras.callbacks.Callback):
    """Calls a function with the name of the hook, at some hooks. Its ``model`` is not asked for: that would sync."""

    def __init__(self, function, hooks=HOOKS):
        super().__init__()
        for hook in hooks:
            setattr(self, hook, lambda *_, hook=hook, **__: function(hook))


def run(model, function, hooks=HOOKS, predict=True):
    """Two epochs of three steps, with an evaluation after each, and a prediction; the losses."""
    callbacks = [Calling(function, hooks)]
    options = {"batch_size": 4, "verbose": 0, "callbacks": callbacks}
    done = model.fit(X, Y, epochs=2, shuffle=False, validation_data=(X[:8], Y[:8]), **options)
    if predict:
        model.predict(X, **options)
    return done.history


class Outputs(keras.callbacks.Callback):
    """The outputs of each batch that ``predict`` computes."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_predict_batch_end(self, batch, logs=None):
        self.batches.append(
            np.array(logs["outputs"].detach() if hasattr(logs["outputs"], "detach") else logs["outputs"])
        )


def refusals(*acts):
    """Call each; the problem and the hint of each, where it was refused."""
    found = []
    for act in acts:
        with pytest.raises(RequestError) as caught:
            act()
        found.append(str(caught.value))
    return found


def acts_on_flags(model, plan):
    """Everything that changes flags, compiles, or trains."""

    def in_a_block():
        with frozen(model, "part"):
            pass

    return (
        lambda: freeze(model, "part"),
        lambda: freeze(model, "part", recompile=False),
        lambda: unfreeze(model, "part", recompile=False),
        lambda: freeze_all_but(model, "head", recompile=False),
        in_a_block,
        lambda: plan.apply(model, recompile=False),
        plan.undo,
        lambda: recompile(model),
        lambda: verify_training(model, data=(X, Y)),
        lambda: load_optimizer_state(model, "none.h5"),
    )


def edits_of(model):
    return (lambda: scale(model, 2.0), lambda: reinitialize(model, where="part"))


@pytest.mark.parametrize("make", [compiled, traced])
def test_flags_are_refused_at_every_hook_and_training_goes_on(make):
    plain, model = make(), make()
    for one in (plain, model):
        freeze(one, "name:bias")
    plan = freeze(model, "head")
    plan.undo()
    wanted = run(plain, lambda _: None)
    seen = set()

    def attempt(hook):
        if hook in seen:
            return
        seen.add(hook)
        for text in refusals(*acts_on_flags(model, plan), lambda: freeze_to(model, 1)):
            assert "is running" in text
            assert any(hint in text for hint in ("fit with initial_epoch", "before fit", "before or after fit"))

    assert run(model, attempt) == wanted
    assert seen == set(HOOKS)
    ours, theirs = (list(weights(one).values()) for one in (model, plain))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    freeze(model, "part")  # after the loop it is as ever
    fit(model)


def test_edits_in_callbacks_take_effect_at_once_and_last_and_reads_are_of_the_moment():
    model = compiled(optimizer="momentum")
    model.optimizer.learning_rate = 0.0
    store = open_weights(model)
    start, count, outputs = store["part/kernel"], 0, []

    def edit(hook):
        nonlocal count
        # The store that was opened before the loop, and one that is opened in it.
        assert np.array_equal(store["part/kernel"], start * 2.0**count), hook
        assert np.array_equal(open_weights(model)["part/kernel"], start * 2.0**count), hook
        if hook.startswith("on_predict_batch"):
            outputs.append(count)
        scale(model, 2.0, where="part/kernel")
        count += 1

    predicted = Outputs()
    options = {"batch_size": 4, "verbose": 0}
    model.fit(X, Y, epochs=2, validation_data=(X[:8], Y[:8]), callbacks=[Calling(edit)], **options)
    model.predict(X, callbacks=[Calling(edit), predicted], **options)
    assert count == 1 + 2 * (1 + 6 + 1 + 4 + 1 + 1) + 1 + 1 + 6 + 1
    assert np.array_equal(store["part/kernel"], start * 2.0**count)
    # Each batch was predicted with every edit before it.
    for at, found in enumerate(predicted.batches):
        model.get_layer("part").kernel.assign(start * 2.0 ** (outputs[2 * at] + 1))
        np.testing.assert_allclose(found, model.predict(X[4 * at : 4 * at + 4], verbose=0), rtol=1e-5)


def test_reads_in_a_callback_are_what_training_has_reached(tmp_path):
    model = compiled()
    found = []

    def read(_):
        freeze_state = trainable_summary(model).trainable, check_model(model).ok
        save_optimizer_state(model, tmp_path / "in.h5")
        model_file = str(tmp_path / "in.weights.h5")
        found.append((weights(model), freeze_state, str(show(model))))
        model.save_weights(model_file)
        assert diff(model, model_file).equal

    run(model, read, ["on_train_batch_end"], predict=False)
    save_optimizer_state(model, tmp_path / "after.h5")
    last, state, listing = found[-1]
    assert same(last, weights(model))
    assert not same(found[-2][0], last)
    assert state == (trainable_summary(model).trainable, check_model(model).ok)
    assert listing == str(show(model))
    assert datasets(tmp_path / "in.h5") == datasets(tmp_path / "after.h5")


def datasets(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, one: found.update({name: one[()].tobytes()}) if hasattr(one, "dtype") else None)
    return found


class CallingInStep(keras.Sequential):
    """Calls a function in its train step, which the backend may be tracing."""

    def train_step(self, *arguments):
        self.function()
        return super().train_step(*arguments)


@pytest.mark.parametrize("eager", [True, False])
def test_a_train_step_of_ones_own_is_no_place_for_changes(eager):
    def made():
        keras.utils.set_random_seed(1)
        model = CallingInStep([keras.Input((4,)), *sequential().layers])
        model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eager)
        model.function = lambda: None
        return model

    plain, model = made(), made()
    plan = freeze(model, "part")
    plan.undo()
    texts = []
    model.function = lambda: texts.extend(
        refusals(*acts_on_flags(model, plan), *edits_of(model), lambda: save_optimizer_state(model, "none.h5"))
    )
    assert fit(model) == fit(plain)
    assert not [text for text in texts if not any(word in text for word in ("while fit", "step of fit", "traces"))]
    assert len(texts) >= 13
    ours, theirs = (list(weights(one).values()) for one in (model, plain))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_another_thread_and_the_data_are_no_place_for_changes():
    plain, model = compiled(), compiled()
    plan = freeze(model, "part")
    plan.undo()
    texts = []

    def elsewhere(_=None):
        thread = threading.Thread(target=lambda: texts.extend(refusals(*acts_on_flags(model, plan), *edits_of(model))))
        thread.start()
        thread.join()

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if running:
                texts.extend(refusals(*acts_on_flags(model, plan), *edits_of(model)))
            return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]

    running = False
    wanted = plain.fit(Batches(), shuffle=False, verbose=0).history
    running = True
    assert model.fit(Batches(), shuffle=False, verbose=0, callbacks=[Calling(elsewhere)]).history == wanted
    assert len(texts) >= 2 * 12
    assert not [text for text in texts if "is running" not in text and "on another thread" not in text]


def test_a_model_in_a_running_one_is_guarded_with_it():
    outer, other = compiled("nested"), compiled()
    outer.optimizer.learning_rate = 0.0
    base = outer.get_layer("backbone")
    start = weights(base, "part/kernel")

    def attempt(_):
        texts = refusals(lambda: freeze(base, "part"), lambda: freeze(base, "part", recompile=False))
        assert all(f"fit of {outer.name}" in text for text in texts)
        scale(base, 2.0, where="part/kernel")
        scale([base.get_layer("part").bias], 2.0)
        freeze(other, "part").undo()  # shares nothing

    run(outer, attempt, ["on_train_batch_begin", "on_train_batch_end"], predict=False)
    (before,), (after,) = start.values(), weights(base, "part/kernel").values()
    assert np.array_equal(after, before * 2.0**12)


def test_a_fit_of_ones_own_may_freeze_before_it_trains():
    class Own(keras.Sequential):
        def fit(self, *arguments, **options):
            freeze(self, "part")
            scale(self, 2.0)
            return super().fit(*arguments, **options)

    model = Own([keras.Input((4,)), *sequential().layers])
    model.compile("sgd", "mse", run_eagerly=True)
    before = weights(model, "part")
    fit(model)
    assert all(np.array_equal(now, 2 * before[key]) for key, now in weights(model, "part").items())


def test_low_rank_updates_are_merged_in_callbacks_and_copies_have_the_values_of_the_moment():
    keras.utils.set_random_seed(1)
    model = parametrize(sequential(), "part", LowRank(2))
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=True)
    layer = model.get_layer("part")
    found = []

    def merge(_):
        layer.merge()
        found.append(bake(model).get_weights())
        layer.unmerge()
        layer.merge()

    run(model, merge, ["on_train_batch_end"], predict=False)
    for ours, theirs in zip(found[-1], bake(model).get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(found[-2][0], found[-1][0])
