"""drop: what is chosen goes, from the lists of names too, and everything else stays."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from support import DATA, GOLDEN, REAL, Folder, place_of, plain_members, plain_things, write_legacy, write_variables

from weightkit import Drop, Scale, edit, open_weights, plan
from weightkit.errors import RequestError, SelectionError
from weightkit.surgery.target import require_file

NESTED = DATA / "keras315_nested.keras"
LEGACY = DATA / "keras23_nested.h5"


def listed(attributes, name="weight_names"):
    """A list attribute, whole or in parts, as text."""
    parts = [attributes.get(name)] if name in attributes else [attributes.get(f"{name}{part}") for part in range(9)]
    found = [text for part in parts if part for text in part[1]]
    return [text.decode() if isinstance(text, bytes) else text for text in found]


def without_lists(attributes):
    return {name: value for name, value in attributes.items() if not name.startswith("weight_names")}


def require_dropped(before, after, gone):
    """``after`` is ``before`` less the datasets ``gone``, and less their names in the lists of their groups."""
    assert after.keys() == before.keys() - gone
    for name, thing in after.items():
        old = before[name]
        assert (thing.shape, thing.dtype, thing.content) == (old.shape, old.dtype, old.content), name
        assert thing.storage == old.storage
        assert without_lists(thing.attributes) == without_lists(old.attributes), name
        kept = [text for text in listed(old.attributes) if f"{name}/{text}" not in gone]
        assert listed(thing.attributes) == kept
        if len(kept) == len(listed(old.attributes)):
            assert thing.attributes == old.attributes


def every(count, path):
    """The addresses of every ``count``-th weight."""
    with open_weights(path) as store:
        return {ref.structure for number, ref in enumerate(store) if number % count == 0}


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_exactly_the_chosen_datasets_go_in_place_and_elsewhere_alike(path, tmp_path):
    chosen = every(3, path)
    before = plain_things(path)
    gone = {place_of(structure, before) for structure in chosen}
    model, out = tmp_path / path.name, tmp_path / "out"
    shutil.copyfile(path, model)
    report = edit(model, Drop(), where=lambda ref: ref.structure in chosen, output=out)
    assert {ref.structure for ref in report.plan.chosen} == chosen
    require_dropped(before, plain_things(out), gone)
    edit(model, Drop(), where=lambda ref: ref.structure in chosen)
    assert plain_things(model) == plain_things(out)
    assert plain_members(model) == plain_members(out) == plain_members(path)
    with open_weights(out) as store:
        assert {place_of(ref.structure, before) for ref in store} == {n for n in plain_things(out) if before[n].dtype}


def test_what_is_left_keeps_its_names_and_kinds_where_no_layer_lost_a_weight(tmp_path):
    edit(LEGACY, Drop(), where="last:1:*", output=tmp_path / "out.h5")
    with open_weights(LEGACY) as before, open_weights(tmp_path / "out.h5") as after:
        known = {ref.structure: ref for ref in before}
        assert [known[ref.structure] for ref in after] == list(after)


@pytest.mark.parametrize("path", [NESTED, LEGACY], ids=lambda path: path.name)
def test_a_layer_takes_its_statistics_along_and_nested_ones_go_with_their_model(path):
    with open_weights(path) as store:
        inner = next(ref.layer for ref in store if ref.kind == "statistic").rpartition("/")[0]
        under = {ref.path for ref in store if ref.path.startswith(f"{inner}/")}
    planned = plan(path, Drop(), where=inner)
    assert {ref.path for ref in planned.chosen} == under
    assert {str(ref.kind) for ref in planned.chosen} == {"parameter", "statistic"}


def test_a_list_of_names_in_parts_stays_in_its_parts(tmp_path):
    path = tmp_path / "m.h5"
    write_legacy(path, {"d": {name: np.ones(2, "f4") for name in ("a", "b", "c", "e")}})
    with h5py.File(path, "r+") as file:
        names = file["d"].attrs["weight_names"].tolist()
        del file["d"].attrs["weight_names"]
        file["d"].attrs["weight_names0"], file["d"].attrs["weight_names1"] = names[:2], names[2:]
    edit(path, Drop(), where=["d/b", "d/c"])
    attributes = plain_things(path)["d"].attributes
    assert listed({"weight_names": attributes["weight_names0"]}) == ["d/a:0"]
    assert listed({"weight_names": attributes["weight_names1"]}) == ["d/e:0"]


def test_a_layer_without_weights_stays_listed_with_an_empty_list_as_keras_writes_it(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"a": {"kernel": np.ones(2, "f4")}, "b": {"kernel": np.ones(2, "f4")}})
    edit(path, Drop(), where="a")
    things = plain_things(path)
    assert listed(things[""].attributes, "layer_names") == ["a", "b"]
    assert things["a"].attributes["weight_names"] == ("<f8", [])


def test_a_weight_with_several_links_goes_under_all_its_names(tmp_path):
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.ones(3, "f4"), np.zeros(3, "f4")
        file["tied/vars/0"] = file["layers/dense/vars/0"]
    edit(path, Drop(), where="layers/dense/vars/0")
    assert {name for name, thing in plain_things(path).items() if thing.dtype} == {"layers/dense/vars/1"}


def test_a_dataset_that_no_list_mentions_goes_and_keras_has_nothing_to_say(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(2, "f4")}})
    with h5py.File(path, "r+") as file:
        file["d/d/orphan"] = np.ones(4, "f4")
    before = plain_things(path)
    report = edit(path, Drop(), where="re:orphan")
    assert report.plan.notes == ()
    require_dropped(before, plain_things(path), {"d/d/orphan"})


def test_objects_without_weights_stay(tmp_path):
    path = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": np.ones(2), "layers/norm/vars/0": [1.0]})
    with h5py.File(path, "r+") as file:
        file.create_group("layers/dropout/vars")
        file["notes"] = np.arange(3)
    edit(path, Drop(), where="layers/dense")
    assert {"layers/dropout/vars", "layers/dense/vars", "notes"} <= plain_things(path).keys()


@pytest.mark.parametrize("path", [NESTED, LEGACY], ids=lambda path: path.name)
def test_a_plan_says_what_keras_will_say_and_what_becomes_of_the_optimizer(path):
    by_name = "by_name=True, skip_mismatch=True" if path is LEGACY else "(file, skip_mismatch=True)"
    with open_weights(path) as store:
        first = next(iter(store)).path
        trained = any(ref.kind == "optimizer" for ref in store)
    incomplete, *more = plan(path, Drop(), where=first).notes
    assert "load_model will fail" in incomplete
    assert by_name in incomplete
    assert [note for note in more if "`weightkit strip` removes it" in note] == more
    assert bool(more) == trained


def test_of_a_file_of_weights_alone_a_plan_says_that_load_weights_will_fail(tmp_path):
    """`load_model` never opens one: it needs the configuration too."""
    legacy = write_legacy(tmp_path / "m.h5", {name: {"kernel": np.ones(2, "f4")} for name in "ab"})
    newer = write_variables(tmp_path / "m.weights.h5", {f"layers/dense{n}/vars/0": np.ones(2) for n in ("", "_1")})
    for path, where, options in (
        (legacy, "a", "by_name=True, skip_mismatch=True"),
        (newer, "layers/dense", "file, skip_mismatch=True"),
    ):
        (note,) = plan(path, Drop(), where=where).notes
        assert note.startswith("Keras' load_weights(file) will fail; model.load_weights(file, ")
        assert options in note
        assert "load_model" not in note


def test_of_the_optimizer_alone_a_plan_says_only_that_keras_starts_with_a_new_one():
    for where in ("kind:optimizer", "optimizer/vars/2"):
        assert plan(NESTED, Drop(), where=where).notes == (
            "the optimizer's state is no longer complete: Keras starts with a new optimizer",
        )


def test_there_is_no_default():
    with pytest.raises(SelectionError, match="needs a selection"):
        plan(NESTED, Drop())
    with pytest.raises(SelectionError, match="needs a selection"):
        plan(NESTED, Drop(), exclude="optimizer")


@pytest.mark.parametrize("arguments", [{"where": "**"}, {"where": "**", "exclude": "kind:optimizer"}])
def test_to_drop_every_weight_is_refused(arguments, tmp_path):
    shutil.copyfile(NESTED, tmp_path / "m.keras")
    before = Folder.of(tmp_path)
    with pytest.raises(SelectionError, match="must leave at least one weight"):
        edit(tmp_path / "m.keras", Drop(), **arguments)
    assert Folder.of(tmp_path) == before


def test_its_plan_says_what_goes_and_prints_as_what_makes_it():
    assert str(plan(NESTED, Drop(), where="encoder")).startswith("Drop() drops 8 of 22 weights (")
    assert repr(Drop()) == "Drop()"
    assert Drop() == Drop()


def test_a_report_tells_apart_what_changed_and_what_went(tmp_path):
    record = edit(NESTED, Drop(), where="encoder", output=tmp_path / "out.keras").to_dict()
    assert record["changed"] == []
    assert len(record["dropped"]) == 8
    assert len(record["dropped"]) + len(record["skipped"]) == 22
    record = edit(NESTED, Scale(2), output=tmp_path / "scaled.keras").to_dict()
    assert record["dropped"] == []
    assert len(record["changed"]) + len(record["skipped"]) == 22


def test_only_files_are_operated_on():
    class Elsewhere:
        label, format = "a model", "live model"

    with pytest.raises(RequestError, match="target must be a weight file, got live model"):
        require_file(Elsewhere())
    with open_weights(NESTED) as store:
        assert require_file(store) is store
