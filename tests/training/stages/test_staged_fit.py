"""Training in stages equals freezing and fitting by hand; one history, one line of progress, errors in words."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from stage_cases import DATA, X, Y, made, state

from weightkit.errors import RequestError, SelectionError
from weightkit.training import Stage, freeze_all_but, learning_rates, recompile, staged_fit

STAGES = [Stage("head", 1), Stage(["head", "block2"], 1, learning_rate=0.02), Stage("**", 1, exclude="stem")]


@pytest.mark.every_backend
def test_it_equals_flags_compile_and_fit_of_keras_alone():
    """Five seconds: two models, traced anew in each stage. SGD has no slots, which Keras' compile would lose."""
    ours, plain = made("sgd", eager=False), made("sgd", eager=False)
    history = staged_fit(ours, [Stage("head", 1), Stage(["head", "block2"], 2, learning_rate=0.02)], **DATA)

    losses, begin = [], 0
    for trained, epochs, rate in (({"head"}, 1, 0.05), ({"head", "block2"}, 2, 0.02)):
        for layer in plain.layers:
            layer.trainable = layer.name in trained or not layer.weights
        plain.compile(keras.optimizers.SGD(rate), "mse")
        losses += plain.fit(initial_epoch=begin, epochs=begin + epochs, **DATA).history["loss"]
        begin += epochs
    assert history.history == {"loss": losses}
    assert state(ours)[0] == state(plain)[0]
    assert history.epoch == [0, 1, 2]
    assert history.stages == ["head", "head | block2", "head | block2"]
    assert history is ours.history


def test_the_optimizer_s_state_is_carried_as_by_freeze_all_but_and_recompile():
    ours, by_hand = made(), made()
    history = staged_fit(ours, STAGES, validation_data=(X, Y), **DATA)
    losses, begin = [], 0
    for stage in STAGES:
        freeze_all_but(by_hand, stage.train, exclude=stage.exclude)
        if stage.learning_rate is not None:
            recompile(by_hand, learning_rate=stage.learning_rate)
        fit = by_hand.fit(initial_epoch=begin, epochs=begin + stage.epochs, validation_data=(X, Y), **DATA)
        losses += [*zip(fit.history["loss"], fit.history["val_loss"], strict=True)]
        begin += stage.epochs
    assert [*zip(history.history["loss"], history.history["val_loss"], strict=True)] == losses
    assert history.stages[-1] == "**, exclude=stem"
    assert state(ours) == state(by_hand)


def test_a_stage_has_a_rate_for_each_selection():
    rates = {"head": 0.02, "**": 0.001}
    ours, by_hand = made(), made()
    staged_fit(ours, [Stage("head", 1), Stage("**", 1, rates)], **DATA)
    for train in ("head", "**"):
        freeze_all_but(by_hand, train)
        if train == "**":
            learning_rates(by_hand, rates)
        by_hand.fit(**DATA)
    assert state(ours) == state(by_hand)
    with pytest.raises(SelectionError, match=r"stage 1: .*hat"):
        staged_fit(made(), [Stage("**", 1, {"hat": 0.1, "**": 0.2})], **DATA)


def test_an_early_stop_ends_its_stage_alone_and_epochs_count_on():
    never_better = {"monitor": "loss", "min_delta": 100, "patience": 1}
    callback = keras.callbacks.EarlyStopping(**never_better)
    stages = [Stage("head", 9, early_stopping=never_better, name="a"), Stage("head", 9, early_stopping=callback)]
    history = staged_fit(made(), [*stages, Stage("**", 1, name="c")], **DATA)
    assert history.epoch == list(range(5))
    assert history.stages == ["a", "a", "head", "head", "c"]
    assert callback.stopped_epoch == 3


def test_a_schedule_is_a_learning_rate_and_data_may_come_from_a_generator():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model = made()

    def batches():
        while True:
            yield X[:4], Y[:4]

    stages = [Stage("head", 1), Stage("head", 1, learning_rate=schedule)]
    staged_fit(model, stages, batches(), steps_per_epoch=2, shuffle=False, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 * 0.5**4)


def test_the_line_of_an_epoch_names_the_stage_and_fits_80_columns(capsys):
    long = Stage("head", 1, name="everything above the fourth block of the backbone, and the \x1b[31mhead of it")
    staged_fit(made(), [Stage("head", 2, name="warm up"), long], **DATA | {"verbose": 2})
    lines = capsys.readouterr().out.splitlines()
    epochs = [line for line in lines if line.startswith("Epoch")]
    assert epochs[:2] == ["Epoch 1/3 - stage 1/2: warm up", "Epoch 2/3 - stage 1/2: warm up"]
    assert epochs[2].startswith("Epoch 3/3 - stage 2/2: everything above")
    assert epochs[2].endswith("…")
    assert len(epochs[2]) == 79
    assert sum("loss:" in line for line in lines) == 3
    staged_fit(made(), [Stage("head", 1)], **DATA)
    assert capsys.readouterr().out == ""


class Interrupt(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


def test_an_error_in_fit_leaves_the_flags_of_its_stage_and_one_before_changes_nothing(monkeypatch):
    model = made()
    with pytest.raises(KeyboardInterrupt):
        staged_fit(model, STAGES, callbacks=[Interrupt(1)], **DATA)
    assert {v.path.split("/")[-2] for v in model.trainable_variables} == {"head", "block2"}
    before = state(model)

    def fails(*_, **__):
        raise MemoryError

    monkeypatch.setattr("weightkit.training.stages.stage_run.recompile", fails)
    with pytest.raises(MemoryError):
        staged_fit(model, [Stage("block1", 1, learning_rate=0.1)], **DATA)
    assert state(model)[0] == before[0]


@pytest.mark.parametrize(
    ("stages", "options", "said"),
    [
        ([Stage("head", 1), Stage("haed", 1, name="two")], {}, r"stage 2 \(two\): the selection 'haed'.*head"),
        ([Stage({"head": [True]}, 1)], {}, "stage 1: whole weights must be selected, got a dictionary"),
        ([], {}, r"stages must be a list of Stage objects, got \[\]"),
        (["head"], {}, "stages must be a list of Stage objects"),
        ([Stage("head", 1)], {"epochs": 2}, "epochs must not be given: it follows from the stages"),
        ([Stage("head", 1)], {"initial_epoch": 2}, "initial_epoch must not be given"),
        ([Stage("head", 1)], {"statistics": "no"}, "statistics must be one of"),
        ([Stage("head", 1)], {"step_count": "no"}, "step_count must be one of"),
        ([Stage("head", 1)], {"state": 3}, "state must be a path, got 3"),
        ([Stage("head", 1)], {"callbacks": keras.callbacks.CallbackList()}, "must be a list of callbacks"),
        ([Stage("head", 1)], {"callbacks": [keras.callbacks.BackupAndRestore("b")]}, "pass state=FOLDER instead"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_trained(stages, options, said):
    model = made()
    before, optimizer = state(model), model.optimizer
    with pytest.raises(RequestError, match=said):
        staged_fit(model, stages, **DATA | options)
    assert state(model) == before
    assert model.optimizer is optimizer


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"learning_rate": -1}, "learning_rate must be a finite number >= 0 or a schedule, got -1"),
        ({"learning_rate": 1e300}, "learning_rate must be a finite number"),
        ({"learning_rate": "1"}, "learning_rate must be a finite number >= 0 or a schedule, got '1'"),
        ({"learning_rate": {"head": -1}}, "the learning rate of 'head' must be a finite number"),
        ({"early_stopping": 3}, "early_stopping must be a keras.callbacks.EarlyStopping, its settings or None, got 3"),
        ({"early_stopping": {"patiense": 3}}, "early_stopping must be settings .*'patiense'"),
        ({"name": ""}, "name must be a text or None, got ''"),
    ],
)
def test_a_stage_checks_its_values(options, said):
    with pytest.raises(RequestError, match=said):
        Stage(**{"train": "head", "epochs": 1} | options)


def test_a_model_without_an_optimizer_is_refused_and_layers_are_a_selection():
    model = made()
    stage = Stage((layer for layer in model.layers[-2:]), np.int64(1))
    assert [stage.train, type(stage.epochs)] == [tuple(model.layers[-2:]), int]
    assert staged_fit(model, [stage, stage], **DATA).stages == ["block2 | head"] * 2
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(RequestError, match="must be compiled"):
        staged_fit(model, [Stage("**", 1)], **DATA)
    for wrong in (None, {"head/kernel[0]": [True]}):
        with pytest.raises(SelectionError, match="stage 1: "):
            staged_fit(made(), [Stage(wrong, 1)], **DATA)
