"""strip: what goes is the optimizer's state and the training configuration, and nothing else."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from support import DATA, GOLDEN, REAL, Folder, plain_members, plain_things, write_archive, write_legacy

from weightkit import Strip, edit, plan
from weightkit.errors import RequestError, SelectionError

OPTIMIZERS = ("optimizer", "optimizer_weights")


def is_training(name):
    return name.split("/")[0] in OPTIMIZERS


def stripped_things(things):
    """What is to be left, worked out from plain h5py's view of the file."""
    kept = {name: thing for name, thing in things.items() if not is_training(name)}
    root = {key: value for key, value in kept[""].attributes.items() if not key.startswith("training_config")}
    return kept | {"": type(kept[""])(root)}


def has_training(path):
    things, config = plain_things(path), json.loads(plain_members(path).get("config.json", b"{}"))
    return stripped_things(things) != things or bool(config.get("compile_config"))


FILES = [path for path in GOLDEN + REAL if has_training(path)]
OTHERS = [path for path in GOLDEN + REAL if not has_training(path)]


def test_there_are_files_of_every_format_with_and_without_training_state():
    assert {path.suffix for path in FILES} >= {".h5", ".keras"}
    assert len(OTHERS) > 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_all_else_stays_as_it_was_in_place_and_elsewhere_alike(path, tmp_path):
    model, out = tmp_path / path.name, tmp_path / "out"
    shutil.copyfile(path, model)
    report = edit(model, Strip(), output=out)
    expected = stripped_things(plain_things(path))
    assert plain_things(out) == expected
    gone = {name for name, thing in plain_things(path).items() if thing.dtype} - expected.keys()
    assert {ref.structure for ref in report.plan.chosen} == gone
    edit(model, Strip())
    assert plain_things(model) == expected
    assert plain_members(model) == plain_members(out)
    assert out.stat().st_size <= path.stat().st_size - report.plan.nbytes


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".keras"], ids=lambda path: path.name)
def test_of_an_archive_nothing_but_how_to_compile_goes_from_its_configuration(path, tmp_path):
    edit(path, Strip(), output=tmp_path / "out.keras")
    before, after = plain_members(path), plain_members(tmp_path / "out.keras")
    config = json.loads(before.pop("config.json"))
    config.pop("compile_config", None)
    assert list(json.loads(after["config.json"]).items()) == list(config.items())
    after.pop("config.json")
    assert after == before


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_a_file_with_nothing_to_strip_is_a_request_that_is_wrong(path, tmp_path):
    model = tmp_path / path.name
    shutil.copyfile(path, model)
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match="no optimizer state and no training configuration"):
        edit(model, Strip())
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_stripping_twice_finds_nothing_the_second_time(path, tmp_path):
    edit(path, Strip(), output=tmp_path / "out")
    with pytest.raises(RequestError, match="nothing to strip"):
        plan(tmp_path / "out", Strip())


@pytest.mark.parametrize("path", [path for path in REAL if path in FILES], ids=lambda path: path.name)
def test_a_real_file_with_the_state_of_adam_shrinks_to_about_a_third(path, tmp_path):
    edit(path, Strip(), output=tmp_path / "out")
    assert (tmp_path / "out").stat().st_size < 0.5 * path.stat().st_size


def test_a_training_configuration_in_parts_goes_whole(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        write_legacy(tmp_path / "w.h5", {"d": {"kernel": np.ones(2, "f4")}})
        with h5py.File(tmp_path / "w.h5") as weights:
            weights.copy("/", file, "model_weights")
        file.attrs["training_config0"], file.attrs["training_config1"] = [b"{"], [b"}"]
        file.attrs["training_configuration"] = b"of somebody else"
    edit(path, Strip())
    assert list(plain_things(path)[""].attributes) == ["training_configuration"]


def test_a_configuration_alone_is_stripped_from_an_archive_without_optimizer_state(tmp_path):
    config = {"a": [1, 1e-300, None, "ü\ud800"], "compile_config": {"loss": "mse"}, "z": {"compile_config": 1}}
    path = write_archive(tmp_path / "m.keras", {"layers/dense/vars/0": np.ones(3, "f4")}, **{
        "config.json": json.dumps(config).encode(), "assets/words.txt": b"words",
    })  # fmt: skip
    report = edit(path, Strip())
    assert report.plan.chosen == ()
    assert "compile the model again" in report.plan.notes[0]
    del config["compile_config"]
    assert json.loads(plain_members(path)["config.json"]) == config
    assert plain_members(path)["assets/words.txt"] == b"words"


def test_of_weights_alone_nothing_is_said_about_a_training_configuration(tmp_path):
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["optimizer/vars/0"] = np.ones(3, "f4"), np.int64(3)
    assert plan(path, Strip()).notes == ()


def test_a_layer_that_is_called_as_the_optimizers_group_keeps_its_weights(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"optimizer_weights": {"kernel": np.ones(3, "f4")}})
    with pytest.raises(RequestError, match="nothing to strip"):
        edit(path, Strip())


def test_a_weight_that_the_optimizers_group_shares_stays_under_its_own_name(tmp_path):
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["optimizer/vars/0"] = np.ones(3, "f4"), np.int64(3)
        file["optimizer/vars/1"] = file["layers/dense/vars/0"]
        file["optimizer/vars/2"] = np.arange(4.0)
        file["z_dense/vars/0"] = file["optimizer/vars/2"]
    edit(path, Strip())
    things = plain_things(path)
    assert {name for name, thing in things.items() if thing.dtype} == {"layers/dense/vars/0", "z_dense/vars/0"}
    assert things["z_dense/vars/0"].content == np.arange(4.0).tobytes()


@pytest.mark.parametrize("arguments", [{"where": "**"}, {"exclude": "optimizer/vars/0"}])
def test_it_takes_no_selection(arguments):
    with pytest.raises(SelectionError, match=r"Strip\(\) takes no selection"):
        plan(DATA / "keras315_nested.keras", Strip(), **arguments)


def test_its_plan_says_what_goes_and_prints_as_what_makes_it():
    printed = str(plan(DATA / "keras315_nested.keras", Strip())).splitlines()
    assert printed[0].startswith("Strip() drops 10 of 22 weights (")
    assert printed[-2:] == [
        "  unchanged: 12, also needed without training",
        "  note: the training configuration goes too: compile the model again after loading",
    ]
    assert repr(Strip()) == "Strip()"
    assert Strip() == Strip()
