"""Files whose optimizer is another one, or is odd, are refused in one line, and nothing is changed."""

from __future__ import annotations

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from checkpoint_cases import (
    FORMATS,
    compiled,
    made,
    make,
    same,
    saved,
    state,
    train,
)
from keras import layers

from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.training import load_optimizer_state
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.optimizer.slots import slots_of


@pytest.mark.parametrize("form", ["archive", "legacy"])
@pytest.mark.parametrize(("theirs", "ours"), [("adam", "adamw"), ("several", "adam"), ("adam", "scale")])
def test_another_optimizer_is_refused_in_words(theirs, ours, form, tmp_path):
    model, other = made(theirs), made(ours)
    train(model)
    path = saved(model, tmp_path / FORMATS[form])
    names = [type(one.optimizer).__name__ for one in (model, other)]
    told = "the optimizer is a {} in the file and a {} here".format(*names)
    with pytest.raises(RequestError, match=told):
        load_optimizer_state(other, path)
    assert not other.optimizer.built


def test_slots_of_another_optimizer_are_never_loaded(tmp_path):
    model, other = made("adam"), made("adamw")
    train(model)
    path = saved(model, tmp_path / "m.keras")
    report = load_optimizer_state(other, path, on_missing="skip")
    assert report.slots == 0
    assert "the optimizer is a Adam in the file and a AdamW here" in report.notes


def test_patterns_of_a_file_are_never_matched(tmp_path):
    model, other = made("several"), made("several")
    train(model)
    path = saved(model, tmp_path / "m.keras")
    patterns = {"(a+)+": make.SGD(0.1, 0.9)}
    other.compile(make.MultiOptimizer(make.OptimizerMap(make.Adam(0.01), patterns)), "mse", run_eagerly=True)
    with pytest.raises(UnsupportedFileError, match="the patterns of its MultiOptimizer must be those of the model's"):
        load_optimizer_state(other, path)


def test_settings_that_differ_are_told_and_the_learning_rate_is_state(tmp_path):
    model, other = made("sgd"), made("sgd")
    train(model)
    model.optimizer.learning_rate.assign(0.3)
    path = saved(model, tmp_path / "m.keras")
    other.compile(make.SGD(0.5, momentum=0.8), "mse")
    with pytest.raises(RequestError, match=r"momentum is 0\.9 in the file and 0\.8 here"):
        load_optimizer_state(other, path)
    other.compile(make.SGD(0.5, momentum=0.9), "mse")
    load_optimizer_state(other, path)
    assert float(values_of(other.optimizer.learning_rate)) == np.float32(0.3)


def test_an_optimizer_that_was_saved_before_its_first_step_is_refused(tmp_path):
    for form in ("m.keras", "m.h5"):
        with pytest.raises(UnsupportedFileError, match="must have slots, and was saved before its first step"):
            load_optimizer_state(made(), saved(made(), tmp_path / form))


def rewritten(source, target, change):
    """A copy of an archive with another configuration and another version."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        members = {name: old.read(name) for name in old.namelist()}
        texts = {name: json.loads(members[name]) for name in ("config.json", "metadata.json")}
        change(texts["config.json"]["compile_config"]["optimizer"], texts["metadata.json"])
        for name, content in members.items():
            new.writestr(name, json.dumps(texts[name]) if name in texts else content)
    return target


HOSTILE = {
    "no class": (
        lambda optimizer, _: optimizer.update(class_name=[1]), RequestError, "the optimizer is a  in the file",
    ),
    "other class": (
        lambda optimizer, _: optimizer.update(class_name="Popen", module="subprocess"),
        RequestError,
        "the optimizer is a Popen in the file",
    ),
    "no settings": (
        lambda optimizer, _: optimizer.update(config=[]), UnsupportedFileError, "must be a JSON object",
    ),
    "odd settings": (
        lambda optimizer, _: optimizer["config"].update(beta_1="no", clipnorm=1, clipvalue=1),
        UnsupportedFileError,
        "the optimizer in the file, Adam, cannot be made",
    ),
    "keras 2": (
        lambda _, metadata: metadata.update(keras_version="2.15.0"),
        UnsupportedFileError,
        "the optimizer's variables in a file of Keras 2.15.0 have no names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("harm", HOSTILE)
def test_odd_configurations_are_refused_in_one_line_and_nothing_is_changed(harm, tmp_path):
    change, error, told = HOSTILE[harm]
    model, other = made(), made()
    train(model)
    path = rewritten(saved(model, tmp_path / "m.keras"), tmp_path / "odd.keras", change)
    train(other, 1)
    before = state(other)
    with pytest.raises(error, match=told) as refused:
        load_optimizer_state(other, path)
    assert "\n" not in str(refused.value)
    assert refused.value.file.endswith("odd.keras")
    assert same(before, state(other))


def test_a_class_that_keras_does_not_have_is_not_looked_up(tmp_path):
    model, other = made(), made()
    train(model)
    change = HOSTILE["other class"][0]
    path = rewritten(saved(model, tmp_path / "m.keras"), tmp_path / "odd.keras", change)
    with pytest.raises(UnsupportedFileError, match="must be one of Keras 3, got Popen"):
        load_optimizer_state(other, path, on_missing="skip")


def test_slots_are_those_that_h5py_reads(tmp_path):
    model, other = made(), made()
    train(model)
    saved(model, tmp_path / "m.h5")
    load_optimizer_state(other, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        (stored,) = file["optimizer_weights"].values()
        assert stored["iteration"][()] == values_of(other.optimizer.variables[0]) == 3
        for slot in slots_of(other.optimizer):
            name = f"{slot.owner.path.replace('/', '_')}_{slot.name}"
            found = next(stored[one][()] for one in stored if one.endswith(name))
            assert np.array_equal(found, values_of(slot.variable))


def test_seeds_are_told_to_stay_as_they_are(tmp_path):
    def dropping():
        return compiled(keras.Sequential([keras.Input((4,)), layers.Dropout(0.5, seed=1), layers.Dense(2, name="a")]))

    model, other = dropping(), dropping()
    train(model)
    report = load_optimizer_state(other, saved(model, tmp_path / "m.keras"))
    assert report.seeds == 0
    assert any("seed generators stay as they are" in note for note in report.notes)
