"""Slots in files of Keras 2 become those of Keras 3, where their numbers mean the same."""

from __future__ import annotations

import json
import re

import h5py
import keras
import numpy as np
import pytest
from support import DATA, REAL

from weightkit import open_weights
from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.training import load_optimizer_state
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.optimizer.slots import slots_of
from weightkit.training.state_file.checkpoint import read_checkpoint

make = keras.optimizers
RATE, EPSILON = 0.05, 1e-7
X = np.random.default_rng(1).standard_normal((8, 3)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 1)).astype("float32")


def gradient(kernel):
    return 2 / len(X) * X.T @ (X @ kernel - Y)


def sgd(w, g, s, _):
    s["momentum"] = 0.9 * s["momentum"] - RATE * g
    return w + s["momentum"]


def rmsprop(w, g, s, _):
    s["rms"] = 0.9 * s["rms"] + 0.1 * g * g
    s["mg"] = 0.9 * s["mg"] + 0.1 * g
    s["momentum"] = 0.5 * s["momentum"] + RATE * g / np.sqrt(s["rms"] - s["mg"] ** 2 + EPSILON)
    return w - s["momentum"]


def adagrad(w, g, s, _):
    s["accumulator"] = s["accumulator"] + g * g
    return w - RATE * g / (np.sqrt(s["accumulator"]) + EPSILON)


def adadelta(w, g, s, _):
    s["accum_grad"] = 0.95 * s["accum_grad"] + 0.05 * g * g
    step = g * np.sqrt(s["accum_var"] + EPSILON) / np.sqrt(s["accum_grad"] + EPSILON)
    s["accum_var"] = 0.95 * s["accum_var"] + 0.05 * step * step
    return w - RATE * step


def adam(w, g, s, t):
    s["m"] = 0.9 * s["m"] + 0.1 * g
    s["v"] = 0.999 * s["v"] + 0.001 * g * g
    s["vhat"] = np.maximum(s["vhat"], s["v"])
    return w - RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["vhat"]) + EPSILON)


def adamax(w, g, s, t):
    s["m"] = 0.9 * s["m"] + 0.1 * g
    s["v"] = np.maximum(0.999 * s["v"], np.abs(g))
    return w - RATE / (1 - 0.9**t) * s["m"] / (s["v"] + EPSILON)


def ftrl(w, g, s, _):
    new = s["accumulator"] + g * g
    s["linear"] = s["linear"] + g - (np.sqrt(new) - np.sqrt(s["accumulator"])) / RATE * w
    s["accumulator"] = new
    return -s["linear"] / (np.sqrt(new) / RATE)


RULES = {
    "SGD": (sgd, ("momentum",), {"momentum": 0.9}, {}),
    "RMSprop": (rmsprop, ("rms", "momentum", "mg"), {"momentum": 0.5, "rho": 0.9, "centered": True}, {}),
    "Adagrad": (adagrad, ("accumulator",), {}, {"accumulator": 0.1}),
    "Adadelta": (adadelta, ("accum_grad", "accum_var"), {}, {}),
    "Adam": (adam, ("m", "v", "vhat"), {"amsgrad": True}, {}),
    "Adamax": (adamax, ("m", "v"), {}, {}),
    "Ftrl": (ftrl, ("accumulator", "linear"), {}, {"accumulator": 0.1}),
}
"""By class, the rule as Keras 2 documents it, the names of its slots, its settings, and what slots begin with."""


def written(path, name, slots, settings=None, *, kernel=1.0, version="2.7.0", form="{class_}/dense/kernel/{slot}:0"):
    """A whole-model file as Keras 2 writes it, made by plain h5py."""
    told = {"name": name, "learning_rate": float(np.float32(RATE)), "decay": 0.0, **(settings or {})}
    layer = {"class_name": "Dense", "config": {"name": "dense", "units": 1, "use_bias": False, "trainable": True}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, "tensorflow"
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
        )
        file.attrs["training_config"] = json.dumps({"optimizer_config": {"class_name": name, "config": told}})
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"], weights.attrs["keras_version"] = [b"dense"], version
        weights.create_group("dense").attrs["weight_names"] = [b"dense/kernel:0"]
        weights["dense/dense/kernel:0"] = np.zeros((3, 1)) + kernel
        names = {f"{name}/iter:0": np.int64(4)}
        names |= {form.format(class_=name, slot=slot): values.astype("float32") for slot, values in slots.items()}
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [one.encode() for one in names]
        for one, values in names.items():
            group[one] = values
    return path


def model_with(name, settings=None):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False, name="dense")])
    model.compile(getattr(make, name)(RATE, **(settings or {})), "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize("form", ["{class_}/dense/kernel/{slot}:0", "{class_}/{slot}/dense/kernel:0"])
@pytest.mark.parametrize("name", RULES)
def test_training_by_the_rules_of_keras_2_goes_on_in_keras_3(name, form, tmp_path):
    rule, names, settings, begin = RULES[name]
    kernel = np.ones((3, 1))
    slots = {slot: np.full((3, 1), begin.get(slot, 0.0)) for slot in names}
    for step in range(1, 5):
        kernel = rule(kernel, gradient(kernel), slots, step)
    model = model_with(name, settings)
    load_optimizer_state(model, written(tmp_path / "m.h5", name, slots, settings, kernel=kernel, form=form))
    model.layers[0].kernel.assign(kernel)
    for step in range(5, 9):
        model.train_on_batch(X, Y)
        kernel = rule(kernel, gradient(kernel), slots, step)
    assert np.allclose(values_of(model.layers[0].kernel), kernel, rtol=1e-4, atol=1e-5)
    assert int(values_of(model.optimizer.variables[0])) == 8


REFUSED = {
    "Nadam": ("Nadam", {}, "Nadam of Keras 2.7.0 has another momentum schedule than Nadam of Keras 3"),
    "Lion": ("Lion", {}, "the state of Lion in Keras 2.7.0 is not converted to Keras 3"),
    "Keras 1": ("Adam", {"version": "1.2.2"}, "the optimizer's state of Keras 1.2.2 is not converted"),
    "names": ("Adam", {"form": "{class_}/other/kernel/{slot}:0"}, "it cannot be told which of its 1 weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_something_else_or_is_not_told_is_refused(case, tmp_path):
    name, changed, told = REFUSED[case]
    slots = {"m": np.ones((3, 1)), "v": np.ones((3, 1)), "x": np.ones((3, 1))}
    path = written(tmp_path / "m.h5", name, slots, **changed)
    model = model_with(name)
    with pytest.raises(UnsupportedFileError, match=re.escape(told)):
        load_optimizer_state(model, path)
    assert not model.optimizer.built


def test_settings_that_differ_are_told_and_rounding_is_not(tmp_path):
    slots = {"m": np.ones((3, 1)), "v": np.ones((3, 1))}
    settings = {"beta_1": float(np.float32(0.9)), "epsilon": 1e-8, "decay": 0.1}
    path = written(tmp_path / "m.h5", "Adam", slots, settings)
    with pytest.raises(RequestError) as refused:
        load_optimizer_state(model_with("Adam"), path)
    assert "decay is 0.1 in the file and None here, epsilon is 1e-08 in the file and 1e-07 here" in str(refused.value)
    assert "beta_1" not in str(refused.value)


def test_slots_of_keras_20_have_no_names_and_go_by_their_order():
    path = DATA / "keras20_optimizer.h5"
    names = ("dense_1", "batch_normalization_1", "dense_2")
    with h5py.File(path) as file:
        shapes = [file[f"model_weights/{one}/{one}/kernel:0"].shape for one in (names[0], names[2])]
        stored = [file["optimizer_weights"][name][()] for name in file["optimizer_weights"].attrs["weight_names"]]
    dense, norm = keras.layers.Dense, keras.layers.BatchNormalization
    stack = [dense(shapes[0][1], name=names[0]), norm(name=names[1]), dense(shapes[1][1], name=names[2])]
    model = keras.Sequential([keras.Input(shapes[0][:1]), *stack])
    model.compile(make.SGD(0.5, momentum=0.5), "mse")
    load_optimizer_state(model, path)
    found = [values_of(slot.variable) for slot in slots_of(model.optimizer)]
    assert all(np.array_equal(a, b) for a, b in zip(found, stored[1:], strict=True))
    assert int(values_of(model.optimizer.variables[0])) == stored[0] == 1
    assert float(values_of(model.optimizer.learning_rate)) == np.float32(0.01)


def with_state(path):
    """Whether a real file has an optimizer's state that Keras 2 wrote."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path) as file:
        version = file.attrs.get("keras_version", "")
        return "optimizer_weights" in file and str(version).lstrip("b'").startswith("2")


@pytest.mark.parametrize("path", [one for one in REAL if with_state(one)], ids=lambda path: path.name)
def test_slots_of_real_files_are_those_that_h5py_reads(path):
    with h5py.File(path) as file:
        name = json.loads(file.attrs["training_config"])["optimizer_config"]["class_name"].rpartition(">")[2]
        names = [
            one.decode() if isinstance(one, bytes) else one for one in file["optimizer_weights"].attrs["weight_names"]
        ]
        stored = {f"optimizer_weights/{one}": file["optimizer_weights"][one][()] for one in names}
    slots = {one: values for one, values in stored.items() if values.shape != ()}
    with open_weights(path) as store:
        manifest = read_checkpoint(model_with(name), store, skip=True).manifest
        trained = [kept for kept in manifest.weights if kept.slots]
        seen = {ref.structure for kept in trained for ref in kept.slots.values()}
        # What is left are the unused places of `vhat`.
        assert all(slots[one].shape == (1,) and not slots[one].any() for one in slots.keys() - seen)
        for kept in trained:
            for ref in kept.slots.values():
                assert np.array_equal(store.read(ref), stored[ref.structure])
                assert ref.shape == kept.ref.shape
        steps = next(values for values in stored.values() if values.shape == ())
        assert manifest.state["iteration"] == steps


@pytest.mark.parametrize("path", [one for one in REAL if one.name == "fer_emotion.hdf5"], ids=lambda path: path.name)
def test_batch_normalizations_that_are_added_up_have_one_gradient_in_a_real_file_of_keras_20(path):
    """The two summands of a residual block: their betas have equal gradients, so their velocities are equal."""
    with open_weights(path) as store:
        manifest = read_checkpoint(model_with("Adam"), store, skip=True).manifest
        velocities = {kept.ref.path: store.read(kept.slots["velocity"]) for kept in manifest.weights}
    for one, other in ((3, 5), (6, 8), (9, 11), (12, 14)):
        names = (f"batch_normalization_{number}/beta" for number in (one, other))
        assert np.allclose(*(velocities[name] for name in names), rtol=1e-3)
