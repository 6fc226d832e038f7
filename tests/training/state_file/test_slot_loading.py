"""Slots from a file that do not fit are refused in words or left, before anything is changed; late weights are told."""

from __future__ import annotations

import shutil

import h5py
import keras
import numpy as np
import pytest
from training_cases import compiled, counter, fit, weights

from weightkit.errors import RequestError
from weightkit.training import freeze, load_optimizer_state, save_optimizer_state, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.optimizer.slots import slots_of


def everything(model):
    """What an optimizer remembers, and what waits beside the model."""
    waiting = {(k, n): v.tobytes() for k, kept in parked_slots_of(model).items() for n, v in kept.slots.items()}
    return [values_of(v).tobytes() for v in model.optimizer.variables], waiting


def saved(path, *, frozen=True):
    """The state of a model of which ``part`` was trained, and then frozen."""
    model = compiled()
    fit(model)
    if frozen:
        freeze(model, "part")
    save_optimizer_state(model, path)
    return model


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """The two files of `saved`, to be copied."""
    folder = tmp_path_factory.mktemp("states")
    for frozen in (True, False):
        saved(folder / f"{frozen}.h5", frozen=frozen)
    return folder


def slot_of(file, weight, name):
    group = next(group for group in file["weights"].values() if group.attrs["path"] == weight)
    return group, name


def without(file, weight, name):
    group, name = slot_of(file, weight, name)
    del group[name]


def with_values(file, weight, name, values):
    group, name = slot_of(file, weight, name)
    by = group[name].attrs["kept_by"]
    del group[name]
    group.create_dataset(name, data=values).attrs["kept_by"] = by


def kept_by(file, weight, name, by):
    group, name = slot_of(file, weight, name)
    group[name].attrs["kept_by"] = by


HARMS = {
    "no velocity": (lambda f: without(f, "part/kernel", "velocity"), r"part/kernel \(velocity of Adam\) is not in"),
    "another type": (
        lambda f: with_values(f, "part/kernel", "velocity", np.zeros((4, 4))),
        r"part/kernel \(velocity of Adam\) is float64\(4, 4\) in the file and float32\(4, 4\) here",
    ),
    "another shape": (
        lambda f: with_values(f, "part/kernel", "momentum", np.zeros((4, 5), "float32")),
        r"part/kernel \(momentum of Adam\) is float32\(4, 5\) in the file and float32\(4, 4\) here",
    ),
    "another keeper": (
        lambda f: kept_by(f, "part/kernel", "momentum", "SGD"),
        r"part/kernel \(momentum of Adam\) is of SGD in the file",
    ),
}


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
@pytest.mark.parametrize("harm", HARMS)
def test_slots_that_do_not_fit_are_refused_in_one_line_and_nothing_is_changed(harm, frozen, states, tmp_path):
    change, told = HARMS[harm]
    shutil.copy(states / f"{frozen}.h5", tmp_path / "opt.h5")
    with h5py.File(tmp_path / "opt.h5", "r+") as file:
        change(file)
    other = compiled()
    if frozen:
        freeze(other, "part")
    other.optimizer.build(other.trainable_variables)
    before = everything(other)
    with pytest.raises(RequestError, match=told) as refused:
        load_optimizer_state(other, tmp_path / "opt.h5")
    assert "\n" not in str(refused.value)
    assert everything(other) == before
    report = load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip")
    assert any("part/kernel" in text and "not loaded without the other slots" in text for text in report.unchanged)
    kernel = other.get_layer("part").kernel
    if frozen:
        assert [kept.owner.name for kept in parked_slots_of(other).values()] == ["bias"]
        assert report.parked == 1
    else:
        assert not any(values_of(slot.variable).any() for slot in slots_of(other.optimizer) if slot.owner is kernel)
    others = [values_of(s.variable) for s in slots_of(other.optimizer) if s.owner is other.get_layer("head").kernel]
    assert all(values.any() for values in others)


def test_slots_of_a_frozen_weight_of_another_shape_are_told_and_left(tmp_path):
    names = {"part": 3, "middle": 3, "head": 1}
    stack = [keras.layers.Dense(units, name=name) for name, units in names.items()]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    freeze(model, "part")
    saved(tmp_path / "opt.h5")
    with pytest.raises(RequestError, match="does not fit"):
        load_optimizer_state(model, tmp_path / "opt.h5")
    report = load_optimizer_state(model, tmp_path / "opt.h5", on_missing="skip")
    told = "part/kernel (momentum of Adam) is of a weight of shape (4, 4) in the file and (4, 3) here"
    assert told in report.unchanged
    assert not parked_slots_of(model)


def test_an_average_that_is_not_in_the_file_begins_at_the_weight(tmp_path):
    saved(tmp_path / "opt.h5", frozen=False)
    other = compiled(optimizer="ema")
    report = load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip")
    assert report.weights == 6
    averages = [slot for slot in slots_of(other.optimizer) if slot.name == "average"]
    assert all(values_of(slot.variable).tobytes() == values_of(slot.owner).tobytes() for slot in averages)
    assert averages


def changed_head(path, optimizer="adam"):
    """A model after ten thousand steps in a file, and another with another head, which loads it."""
    model = compiled(optimizer=optimizer)
    fit(model)
    model.optimizer.variables[0].assign(10_000)
    save_optimizer_state(model, path)
    keras.utils.set_random_seed(1)
    names = {"part": 4, "middle": 3, "head": 2}
    stack = [keras.layers.Dense(units, name=name) for name, units in names.items()]
    other = keras.Sequential([keras.Input((4,)), *stack])
    other.compile(type(model.optimizer).from_config(model.optimizer.get_config()), "mse", run_eagerly=True)
    return other


def by_weight(model):
    """The slots of each layer's weights."""
    found = {}
    for slot in slots_of(model.optimizer):
        layer = next(layer.name for layer in model.layers if any(v is slot.owner for v in layer.variables))
        found.setdefault(layer, []).append(values_of(slot.variable).tobytes())
    return found


def first_step(model, where):
    """The largest change of these weights in the first step, in learning rates."""
    before = weights(model, where)
    model.train_on_batch(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"))
    after = weights(model, where)
    return max(np.abs(after[key] - before[key]).max() for key in before) / 0.01


def test_a_changed_head_at_a_large_step_count_is_told_and_may_count_its_own_steps(tmp_path):
    kept = changed_head(tmp_path / "opt.h5")
    report = load_optimizer_state(kept, tmp_path / "opt.h5", on_missing="skip")
    (note,) = (note for note in report.notes if "several times" in note)
    assert note.startswith("head/kernel, head/bias: no slots in the file that fit, at a large step count")
    assert 'step_count="separate"' in note
    assert first_step(kept, "head") == pytest.approx(3.16, abs=0.01)

    own = changed_head(tmp_path / "opt.h5")
    report = load_optimizer_state(own, tmp_path / "opt.h5", on_missing="skip", step_count="separate")
    assert any("head/kernel, head/bias" in note and "count their own steps" in note for note in report.notes)
    assert not any("several times" in note for note in report.notes)
    assert sorted(counter(one) for one in own.optimizer.inner_optimizers) == [0, 10_000]
    assert {name: len(kept) for name, kept in by_weight(own).items()} == {"part": 4, "middle": 4, "head": 4}
    assert not any(np.frombuffer(values, "float32").any() for values in by_weight(own)["head"])
    assert all(np.frombuffer(values, "float32").any() for values in by_weight(own)["part"])
    assert first_step(own, "head") == pytest.approx(1, abs=0.01)


def test_a_changed_head_of_an_optimizer_that_counts_no_steps_is_no_matter(tmp_path):
    other = changed_head(tmp_path / "opt.h5", "momentum")
    report = load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip", step_count="separate")
    assert not any("step" in note for note in report.notes)
    assert isinstance(other.optimizer, keras.optimizers.SGD)


def test_own_steps_on_loading_fail_whole(tmp_path):
    other = changed_head(tmp_path / "opt.h5")
    other.optimizer.build(other.trainable_variables)
    other.another = [keras.optimizers.SGD()]
    before, optimizer = everything(other), other.optimizer
    with pytest.raises(RequestError, match="several optimizers"):
        load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip", step_count="separate")
    assert other.optimizer is optimizer
    assert everything(other) == before


def test_slots_of_a_file_wait_for_weights_that_are_frozen_and_come_back_to_them(tmp_path):
    model = saved(tmp_path / "opt.h5")
    other = compiled()
    freeze(other, "part")
    assert load_optimizer_state(other, tmp_path / "opt.h5").parked == 2
    for one in (model, other):
        unfreeze(one, "part")
    assert everything(model)[0] == everything(other)[0]
