"""Arguments, plans and files that cannot be meant are refused in words, and change nothing."""

from __future__ import annotations

import json
import os

import h5py
import keras
import numpy as np
import pytest
from training_cases import compiled, fit, same, weights

from weightkit.errors import DamagedFileError, RequestError
from weightkit.layers import LowRank, parametrize
from weightkit.training import (
    FreezePlan,
    freeze,
    freeze_to,
    frozen,
    load_optimizer_state,
    recompile,
    save_optimizer_state,
    unfreeze,
)


def trained(model):
    return {variable.path for variable in model.trainable_variables}


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1e300, -1.0, True, np.float64("nan"), np.bool_(True)])
def test_what_is_no_learning_rate_is_refused(rate):
    model = compiled()
    before = model.optimizer
    with pytest.raises(RequestError, match="learning_rate must be a finite number >= 0"):
        recompile(model, learning_rate=rate)
    assert model.optimizer is before


@pytest.mark.parametrize(("act", "arguments"), [(recompile, ()), (unfreeze, ("part",))])
def test_rates_by_selection_where_one_is_taken_lead_to_the_function_for_them(act, arguments):
    with pytest.raises(RequestError, match="call learning_rates"):
        act(compiled(), *arguments, learning_rate={"part": 0.1})


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda model: freeze(model, "part", recompile="no"), "recompile must be True or False, got 'no'"),
        (lambda model: freeze(model, "part", recompile=None), "recompile must be True or False, got None"),
        (lambda model: freeze(model, "part", statistics=[]), r"statistics must be one of .*, got \[\]"),
        (lambda model: freeze(model, "part", statistics=np.ones(2)), "statistics must be one of"),
        (lambda model: unfreeze(model, "part", step_count=np.ones(2)), "step_count must be one of"),
        (lambda model: recompile(model, optimizer_state=["carry"]), "optimizer_state must be one of"),
        (lambda model: freeze_to(model, None), "depth must be .*, got None"),
        (lambda model: freeze_to(model, True), "depth must be .*, got True"),
        (lambda model: freeze_to(model, 1.5), r"depth must be .*, got 1\.5"),
        (lambda model: load_optimizer_state(model, "x", []), r"on_missing must be one of .*, got \[\]"),
        (lambda model: freeze(model, keras.layers.Dense(2, name="other")), "the layer 'other' is not in the model"),
    ],
)
def test_an_argument_is_refused_by_its_name_and_value_and_nothing_is_changed(act, said):
    model = compiled()
    before, optimizer = trained(model), model.optimizer
    with pytest.raises(RequestError, match=said):
        act(model)
    assert trained(model) == before
    assert model.optimizer is optimizer


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layer", 1),
        ("layer", []),
        ("index", None),
        ("name", []),
        ("structure", []),
        ("shape", "4"),
        ("duplicate", True),
    ],
)
def test_a_plan_with_another_thing_in_a_field_is_no_plan(tmp_path, key, value):
    freeze(compiled(), "part").save(tmp_path / "plan.json")
    data = json.loads((tmp_path / "plan.json").read_text())
    data["weights"][0][key] = value
    (tmp_path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(RequestError, match=rf"plan\.json: .*{key} is"):
        FreezePlan.load(tmp_path / "plan.json")


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "", "no JSON", '"text"'])
def test_what_is_no_plan_is_refused_with_the_file_s_name(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(RequestError, match=r"plan\.json"):
        FreezePlan.load(tmp_path / "plan.json")


def test_a_plan_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    plan, path = freeze(compiled(), "part"), tmp_path / "plan.json"
    plan.save(path)
    before = path.read_bytes()

    write = os.pwrite

    def full(fd, content, offset):
        write(fd, content[:10], offset)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(RequestError, match="cannot be written: No space left"):
            plan.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["plan.json"]  # noqa: PTH208  # hidden ones too
    for nowhere in (tmp_path, tmp_path / "not" / "there"):
        with pytest.raises(RequestError, match="cannot be written"):
            plan.save(nowhere)


def test_undoing_takes_back_what_the_plan_changed_and_nothing_of_others():
    model = compiled()
    everything = trained(model)
    one, two = freeze(model, "part"), freeze(model, "middle")
    one.undo()
    assert trained(model) == {path for path in everything if "middle" not in path}
    two.undo()
    assert trained(model) == everything
    freeze(model, "middle")
    one.undo()
    assert trained(model) == {path for path in everything if "middle" not in path}


def test_what_is_frozen_within_frozen_stays_frozen():
    model = compiled("nested")
    with frozen(model, "**/part"):
        freeze(model, "head")
    assert {path.split("/")[-2] for path in trained(model)} & {"head", "part"} == {"part"}


def test_a_layer_that_another_plan_has_closed_is_opened_for_what_is_unfrozen():
    model = compiled("nested")
    one = freeze(model, "**/part")
    freeze(model, "backbone")
    one.undo()
    before = weights(model, "part")
    fit(model)
    assert not same(weights(model, "part"), before)


def test_the_base_of_an_adapted_layer_stays_frozen_when_all_is_unfrozen():
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(1, name="b")])
    model = parametrize(plain, "a", LowRank(2))
    model.compile("sgd", "mse", run_eagerly=True)
    unfreeze(model, "**")
    names = {variable.path for variable in model.trainable_variables}
    assert not any(path.endswith("a/kernel") for path in names)
    assert sum("lora" in path for path in names) == 2


@pytest.mark.parametrize(("name", "value"), [("iteration", -1), ("learning_rate", np.nan), ("learning_rate", -1.0)])
@pytest.mark.parametrize("on_missing", ["error", "skip"])
def test_a_state_that_would_spoil_every_weight_is_damage(tmp_path, name, value, on_missing):
    model = compiled()
    fit(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    with h5py.File(tmp_path / "opt.h5", "r+") as file:
        key = next(key for key in file["optimizer"] if key.startswith(name))
        file["optimizer"][key][...] = value
    before = [keras.ops.convert_to_numpy(v).tolist() for v in model.optimizer.variables]
    with pytest.raises(DamagedFileError, match=rf"opt\.h5: optimizer/{name}"):
        load_optimizer_state(model, tmp_path / "opt.h5", on_missing)
    assert [keras.ops.convert_to_numpy(v).tolist() for v in model.optimizer.variables] == before


def test_a_file_with_the_slots_of_a_weight_twice_is_damaged(tmp_path):
    model = compiled()
    fit(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    with h5py.File(tmp_path / "opt.h5", "r+") as file:
        file.copy("weights/0", "weights/99")
    with pytest.raises(DamagedFileError, match="twice"):
        load_optimizer_state(model, tmp_path / "opt.h5")
