"""A run in stages that is killed and resumed equals one that was never killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import full
import keras
import pytest
from stage_cases import DATA, OPTIMIZERS, made, state

from weightkit.errors import DamagedFileError, RequestError, UnsupportedFileError
from weightkit.training import Stage, staged_fit
from weightkit.training.stages.state_folder import StateFolder

SCRIPT = """
import os, signal, sys
import keras
from stage_cases import DATA, made, state
from weightkit.training import Stage, staged_fit

class Kill(keras.callbacks.Callback):
    def __init__(self, place):
        super().__init__()
        self.place, self.epoch = place, 0
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        if self.place == "epoch" and (self.epoch, batch) == (2, 0):
            os.kill(os.getpid(), signal.SIGKILL)
    def on_train_end(self, logs=None):
        if self.place == "boundary" and self.epoch == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def run(folder, place):
    model = made()
    reducing = keras.callbacks.ReduceLROnPlateau("loss", min_delta=100, patience=1, factor=0.5)
    rates = {"head": 0.02, "**": 0.005}
    stages = [Stage("head", 1), Stage(["head", "block2"], 2, learning_rate=rates), Stage("**", 1)]
    history = staged_fit(model, stages, state=folder, callbacks=[reducing, Kill(place)], **DATA)
    return history.history, history.epoch, history.stages, state(model)

if __name__ == "__main__":
    run(*sys.argv[1:])
"""


@pytest.mark.every_backend
def test_a_run_killed_in_an_epoch_or_between_stages_goes_on_as_if_it_never_was(tmp_path):
    """Eight seconds: a process of its own starts Keras and is killed for real; on TensorFlow two, at the same time."""
    backend = keras.config.backend()
    places = {"epoch": (2, 1, False)} | ({"boundary": (1, 0, True)} if backend == "tensorflow" else {})
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", SCRIPT]
    killed = [subprocess.Popen([*command, str(tmp_path / place), place], env=environment) for place in places]
    names = {"__name__": "script"}
    exec(SCRIPT, names)  # noqa: S102
    never_killed = names["run"](None, "never")
    assert {process.wait() for process in killed} == {-9}
    for place, reached in places.items():
        saved = StateFolder(tmp_path / place).saved()
        assert (len(saved.epoch), saved.stage, saved.ended) == reached
        assert names["run"](tmp_path / place, "never") == never_killed


class Stop(keras.callbacks.Callback):
    """Ends the run before an epoch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


def run(folder, at, optimizer="adam", path="checkpoint.keras"):
    """A run with callbacks that count, and what it leaves; None where it is stopped."""
    model = made(optimizer)
    best = {"monitor": "loss", "patience": 1, "restore_best_weights": True, "min_delta": 0.5}
    callbacks = [keras.callbacks.ModelCheckpoint(path, "loss", save_best_only=True), Stop(at)]
    stages = [Stage("head", 4, early_stopping=best), Stage("**", 2, early_stopping=best)]
    try:
        history = staged_fit(model, stages, state=folder, callbacks=callbacks, **DATA)
    except KeyboardInterrupt:
        return None
    return history.history, history.epoch, history.stages, state(model), callbacks[0].best


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS) if full.enabled else ["ema"])
def test_counters_best_weights_averages_and_loss_scales_go_on(optimizer, tmp_path):
    """Three seconds: a run that is stopped within each stage, each time with a new model."""
    path = tmp_path / "checkpoint.keras"
    whole = run(None, None, optimizer, path)
    assert whole[2][:3] == ["head", "head", "**"]  # the first stage stopped early, with its best weights
    for epoch in (1, 2, 3) if full.enabled else (1, 3):
        assert run(tmp_path / "state", epoch, optimizer, path) is None
    assert run(tmp_path / "state", None, optimizer, path) == whole
    # A run that is complete is loaded; nothing is trained.
    assert run(tmp_path / "state", 3, optimizer, path) == whole


def test_rates_that_callbacks_set_decide_in_a_resumed_run_too_which_weights_share_an_optimizer(tmp_path):
    """In the second stage the head has the rate to which a callback set all weights in the first."""

    def trained(folder, at):
        model = made()
        stages = [Stage("head", 1, {"head": 0.01}), Stage(["head", "block2"], 2, {"head": 0.001, "block2": 0.1})]
        setting = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch else 0.001)
        staged_fit(model, stages, state=folder, callbacks=[setting, Stop(at)], **DATA)
        return state(model)

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "state", 2)
    assert trained(tmp_path / "state", None) == trained(None, None)


def test_every_moment_of_saving_leaves_a_whole_state(tmp_path, monkeypatch):
    """What a process leaves that is killed before any call that changes files: a copy of the folder at that moment."""
    folder, moments, states = tmp_path / "state", [], {}

    def copying(name):
        whole = getattr(os, name)

        def call(*arguments, **options):
            moments.append(tmp_path / f"moment-{len(moments)}")
            shutil.copytree(folder, moments[-1])
            return whole(*arguments, **options)

        return call

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            states[epoch + 1] = state(self.model)
            if epoch == 1:
                for name in ("link", "replace", "rename", "unlink", "fsync", "ftruncate"):
                    monkeypatch.setattr(os, name, copying(name))

    model, options = made(), {"callbacks": [Watch()], **DATA}
    stages = [Stage("head", 2, early_stopping={"monitor": "loss", "restore_best_weights": True, "patience": 9})]
    staged_fit(model, stages, state=folder, **options)
    monkeypatch.undo()
    found = []
    for moment in moments:
        there = StateFolder(moment)
        saved = there.saved()
        assert {name.partition("/")[0] for name in there.load(model, saved)} == {"1"}
        assert state(model) == states[len(saved.epoch)]
        found.append(len(saved.epoch))
    assert len(found) > 8
    assert set(found) == {1, 2}
    assert sorted(path.name for path in folder.iterdir()) == [
        "epoch-2.best.npz",
        "epoch-2.optimizer.h5",
        "epoch-2.weights.h5",
        "run.json",
    ]


def test_a_folder_of_another_run_is_refused_in_one_line_and_nothing_is_changed(tmp_path):
    stages = [Stage("head", 1, learning_rate=0.02), Stage("block2", 1, name="two")]
    options = {"state": tmp_path / "state", **DATA}
    staged_fit(made(), stages, **options)
    other = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="block2"), keras.layers.Dense(1, name="head")]
    )
    other.compile("adam", "mse", run_eagerly=True)
    two = stages[1]
    for model, given, more, said in [
        (other, stages, {}, r"of another model: weight 1 was layers/dense/vars/0 \(4, 4\) float32 and is .*\(4, 3\)"),
        (made(), [*stages, two], {}, "of other stages: there were 2 and are 3"),
        (made(), stages[:1], {}, "of other stages: there were 2 and are 1"),
        (made(), [Stage("head", 1, learning_rate=0.1), two], {}, "stage 1 .head.: learning_rate was 0.02 and is 0.1"),
        (made(), [stages[0], Stage("block2", 3, name="two")], {}, r"stage 2 \(two\): epochs was 1 and is 3"),
        (made(), [stages[0], Stage("block1", 1, name="two")], {}, r"stage 2 \(two\): it trained other weights"),
        (
            made(),
            stages,
            {"callbacks": [keras.callbacks.TerminateOnNaN()]},
            "callbacks: there were 0 callbacks and are 1",
        ),
        (made(), stages, {"statistics": "keep"}, "statistics was freeze and is keep"),
    ]:
        before = state(model)
        with pytest.raises(RequestError, match=said) as refused:
            staged_fit(model, given, **options | more)
        assert "delete it to start again" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert state(model) == before
    with pytest.raises(RequestError, match="of another optimizer: it was Adam and is SGD"):
        staged_fit(made("sgd"), stages, **options)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"schema": "weightkit.stages/2"},
        lambda data: data | {"stage": 5},
        lambda data: data | {"epoch": [0, 7]},
        lambda data: data | {"starts": [{"": {"iteration": "many"}}]},
        lambda data: data | {"callbacks": ["none"]},
        lambda data: data | {"more": 1},
        lambda data: {key: value for key, value in data.items() if key != "history"},
        lambda _: [],
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(change, run_folder):
    path = run_folder / "run.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DamagedFileError, match="delete the folder to start again"):
        StateFolder(run_folder).saved()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "state"
    staged_fit(made(), [Stage("head", 1)], state=folder, **DATA)
    return folder


@pytest.fixture
def run_folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "state")


@pytest.mark.every_backend
@pytest.mark.parametrize("damaged", ["weights", "optimizer"])
def test_a_folder_with_a_damaged_file_leaves_the_model_as_it_was(damaged, run_folder):
    model = made()
    around = keras.Sequential([keras.Input((4,)), *model.layers])
    around.compile("adam", "mse")
    model.train_on_batch(DATA["x"], DATA["y"])
    before, optimizer = state(model), model.optimizer
    (run_folder / f"epoch-1.{damaged}.h5").write_bytes(b"junk")
    with pytest.raises(UnsupportedFileError):
        staged_fit(model, [Stage("head", 1)], state=run_folder, **DATA)
    assert model.optimizer is optimizer
    assert state(model) == before
    assert len(around.optimizer.variables) == 2 + 2 * len(around.trainable_variables)
    model.fit(**DATA)


def test_a_folder_that_cannot_be_and_weights_that_keras_never_saves_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="the state folder: "):
        staged_fit(made(), [Stage("head", 1)], state=tmp_path / "file", **DATA)

    class Lost(keras.layers.Layer):
        def build(self, shape):
            self.lost = {keras.layers.Dense(4, name="lost")}
            for one in self.lost:
                one.build(shape)
                self._layers.append(one)

        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((4,)), Lost(), keras.layers.Dense(1, name="head")], name="odd")
    model.compile("adam", "mse")
    with pytest.raises(RequestError, match="state must be None for odd: Keras never saves odd/lost/lost/kernel, odd/"):
        staged_fit(model, [Stage("head", 1)], state=tmp_path / "state", **DATA)
    assert not (tmp_path / "state").exists()
