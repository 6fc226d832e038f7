"""Weights are copied from the store that holds their own, all that were asked for or none."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import Folder, digest, plain_datasets, write_legacy, write_variables

from weightkit import LoadWeights, Scale, edit, load_weights, open_weights, plan
from weightkit.access.edits.choose import plan_edit
from weightkit.access.store import WeightStore
from weightkit.errors import BusyError, NonFiniteError, RequestError, SelectionError
from weightkit.testing import TransformContract

KERNEL, BIAS = np.arange(6, dtype="f4").reshape(2, 3), np.array([0.1, -2, 3], "f4")


@pytest.fixture
def legacy(tmp_path):
    return write_legacy(tmp_path / "legacy.h5", {"head": {"kernel": KERNEL, "bias": BIAS}})


@pytest.fixture
def target(tmp_path):
    zeros = {"head": {"kernel": np.zeros((2, 3), "f4"), "bias": np.zeros(3, "f4")}}
    return write_legacy(tmp_path / "target.h5", zeros)


def test_values_come_from_the_matching_weights_of_another_format(tmp_path, legacy):
    path = tmp_path / "model.weights.h5"
    write_variables(path, {"layers/dense/vars/0": KERNEL * 0, "layers/dense/vars/1": BIAS * 0})
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars"].attrs["name"] = "head"
    report = load_weights(path, legacy)
    found = plain_datasets(path)
    assert found["layers/dense/vars/0"].tobytes() == KERNEL.tobytes()
    assert found["layers/dense/vars/1"].tobytes() == BIAS.tobytes()
    assert "matched by name: 2 weights" in report.plan.notes


def test_the_source_is_only_read(legacy, target):
    before = digest(legacy), legacy.stat().st_mtime_ns
    load_weights(target, legacy)
    assert (digest(legacy), legacy.stat().st_mtime_ns) == before
    assert sorted(path.name for path in legacy.parent.iterdir()) == ["legacy.h5", "target.h5", "target.h5.bak"]


def test_values_of_another_type_are_rounded_once(tmp_path, legacy):
    path = write_legacy(tmp_path / "wide.h5", {"head": {"kernel": KERNEL.astype("f8") / 3, "bias": BIAS.astype("f8")}})
    load_weights(legacy, path)
    assert plain_datasets(legacy)["head/head/kernel:0"].tobytes() == (KERNEL.astype("f8") / 3).astype("f4").tobytes()


def test_a_selection_loads_a_part(legacy, target):
    report = load_weights(target, legacy, where="role:kernel")
    found = plain_datasets(target)
    assert found["head/head/kernel:0"].tobytes() == KERNEL.tobytes()
    assert not found["head/head/bias:0"].any()
    assert f"not used of {legacy}: head/bias" in report.plan.notes


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ({"head": {"kernel": KERNEL}}, "head/bias is not there"),
        ({"head": {"kernel": KERNEL, "bias": np.zeros(4, "f4")}}, r"head/bias is \(3,\) here and \(4,\) there"),
        ({"head": {"kernel": KERNEL, "bias": np.zeros(3, "i4")}}, "head/bias is float32 here and int32 there"),
    ],
)
def test_a_weight_without_its_own_refuses_the_whole_and_a_choice_settles_it(tmp_path, target, layers, why):
    source = write_legacy(tmp_path / "source.h5", layers)
    before = Folder.of(tmp_path)
    with pytest.raises(SelectionError, match=f"1 of 2 weights cannot be loaded from .*: {why}"):
        load_weights(target, source)
    assert Folder.of(tmp_path) == before
    load_weights(target, source, exclude="head/bias")
    assert plain_datasets(target)["head/head/kernel:0"].tobytes() == KERNEL.tobytes()


def test_files_of_two_models_are_refused(tmp_path, target):
    other = write_legacy(tmp_path / "other.h5", {"a": {"x": np.zeros(7)}, "b": {"y": np.zeros(8), "z": np.zeros(9)}})
    with pytest.raises((RequestError, SelectionError)):
        load_weights(target, other)


def test_a_new_head_stays_as_it_is_and_is_said(tmp_path, legacy):
    layers = {"head": {"kernel": KERNEL * 0, "bias": BIAS * 0}, "new": {"kernel": KERNEL + 7}}
    path = write_legacy(tmp_path / "larger.h5", layers)
    report = load_weights(path, legacy)
    found = plain_datasets(path)
    assert found["head/head/kernel:0"].tobytes() == KERNEL.tobytes()
    assert found["new/new/kernel:0"].tobytes() == (KERNEL + 7).tobytes()
    assert f"left as they are, as {legacy} does not hold them: new/kernel" in report.plan.notes
    with pytest.raises(SelectionError, match="new/kernel is selected directly and cannot be changed: it is not in"):
        load_weights(path, legacy, where="new/kernel")


def test_nans_are_loaded_only_where_they_are_allowed(tmp_path, target):
    nans = write_legacy(tmp_path / "nans.h5", {"head": {"kernel": KERNEL * np.nan, "bias": BIAS}})
    with pytest.raises(NonFiniteError, match="6 NaNs"):
        load_weights(target, nans)
    load_weights(target, nans, allow_nonfinite=True)
    assert np.isnan(plain_datasets(target)["head/head/kernel:0"]).all()


def test_the_state_of_a_metric_stays_and_its_lack_is_no_gap(tmp_path):
    layers = {"layers/dense/vars/0": KERNEL, "metrics/mean/vars/0": np.float32(7)}
    target = write_variables(tmp_path / "target.weights.h5", layers)
    source = write_variables(tmp_path / "source.weights.h5", {"layers/dense/vars/0": KERNEL + 1})
    report = load_weights(target, source)
    assert [ref.structure for ref in report.plan.chosen] == ["layers/dense/vars/0"]
    assert plain_datasets(target)["metrics/mean/vars/0"] == 7
    assert report.plan.reasons() == {"it is a metric's state, which belongs to one training run": 1}


def test_optimizer_state_stays(tmp_path):
    layers = {"layers/dense/vars/0": KERNEL, "optimizer/vars/0": np.int64(7)}
    first = write_variables(tmp_path / "first.weights.h5", layers)
    second = write_variables(tmp_path / "second.weights.h5", {name: values * 0 for name, values in layers.items()})
    load_weights(second, first)
    assert plain_datasets(second)["optimizer/vars/0"] == 0
    with open_weights(first) as source, pytest.raises(SelectionError, match="it is optimizer state"):
        edit(second, LoadWeights(source), where="kind:optimizer")


def test_optimizer_state_of_another_shape_is_neither_counted_nor_resized(tmp_path):
    layers = {"layers/dense/vars/0": KERNEL, "optimizer/vars/0": KERNEL}
    first = write_variables(tmp_path / "first.weights.h5", layers)
    second = write_variables(tmp_path / "second.weights.h5", layers | {"optimizer/vars/0": BIAS})
    for choice in ("error", "resize"):
        notes = load_weights(second, first, on_mismatch=choice).plan.notes
        assert notes[0] == "matched by structure: 1 weight", notes
        assert not any("optimizer" in note for note in notes)
        assert plain_datasets(second)["optimizer/vars/0"].tobytes() == BIAS.tobytes()


def test_unknown_weights_need_no_decision(tmp_path):
    first = write_variables(tmp_path / "first.weights.h5", {"layers/mine/vars/0": KERNEL})
    second = write_variables(tmp_path / "second.weights.h5", {"layers/mine/vars/0": KERNEL * 0})
    load_weights(second, first)
    assert plain_datasets(second)["layers/mine/vars/0"].tobytes() == KERNEL.tobytes()


def test_a_plan_shows_what_it_would_load(legacy, target):
    with open_weights(legacy) as source:
        shown = str(plan(target, LoadWeights(source)))
    assert f"LoadWeights('{legacy}') changes 2 of 2 weights" in shown
    assert "note: matched by name" in shown


@pytest.mark.parametrize("given", [str, Path, open_weights])
def test_the_source_is_a_path_or_an_open_store(legacy, target, given):
    with contextlib.ExitStack() as opened:
        source = given(legacy)
        if given is open_weights:
            opened.enter_context(source)
        load_weights(target, source)
        assert source in {str(legacy), legacy} or source.read(next(iter(source))).size
    assert plain_datasets(target)["head/head/kernel:0"].tobytes() == KERNEL.tobytes()


def test_a_plan_opens_its_source_again_when_it_is_applied(legacy, target):
    planned = plan(target, LoadWeights(legacy))
    with open_weights(target, editable=True) as store:
        planned.apply(store)
    assert plain_datasets(target)["head/head/kernel:0"].tobytes() == KERNEL.tobytes()
    edit(legacy, Scale(2), backup=False)  # nothing holds it
    del planned


def test_a_source_of_other_weights_than_were_planned_is_refused(legacy, target):
    planned = plan(target, LoadWeights(legacy))
    write_legacy(legacy, {"other": {"kernel": KERNEL}})
    before = digest(target)
    with open_weights(target, editable=True) as store, pytest.raises(BusyError, match="make the plan again"):
        planned.apply(store)
    assert digest(target) == before


def test_a_plan_of_a_copy_leaves_the_source_to_others(legacy, target):
    with open_weights(target) as store:
        planned = plan_edit(store, LoadWeights(legacy))
        edit(legacy, Scale(2), backup=False)
    assert planned.transform.found.by == "name"


def test_a_source_that_is_refused_is_named_and_given_back(legacy, target):
    planned = plan(target, LoadWeights(legacy))
    write_legacy(legacy, {"other": {"kernel": KERNEL}})
    for _ in range(2):
        with pytest.raises(BusyError, match=f"^{legacy}: the source must have the weights that it had"):
            planned.apply(target)
    edit(legacy, Scale(2), backup=False)


def test_an_act_is_used_again_after_its_source_has_changed(tmp_path, legacy, target):
    act = LoadWeights(legacy)
    edit(target, act)
    write_legacy(legacy, {"other": {"kernel": KERNEL}})
    path = write_legacy(tmp_path / "m.h5", {"other": {"kernel": KERNEL * 0}})
    edit(path, act)
    assert plain_datasets(path)["other/other/kernel:0"].tobytes() == KERNEL.tobytes()


def test_an_act_and_its_plan_are_pickled_and_the_act_is_hashed(legacy, target):
    act = LoadWeights(str(legacy), match="name")
    again, planned = pickle.loads(pickle.dumps((act, plan(target, act))))  # noqa: S301  # its own bytes
    assert {act: 1}[again] == 1
    planned.apply(target)
    assert plain_datasets(target)["head/head/kernel:0"].tobytes() == KERNEL.tobytes()


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("given", ["path", "text", "link"])
def test_a_file_is_not_copied_into_itself(legacy, given, dry_run):
    link = legacy.with_name("link.h5")
    link.symlink_to(legacy)
    before = Folder.of(legacy.parent)
    with pytest.raises(RequestError, match="source and target must be two files, got"):
        load_weights(legacy, {"path": legacy, "text": str(legacy), "link": link}[given], dry_run=dry_run)
    assert Folder.of(legacy.parent) == before


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("in_list", [False, True])
def test_an_act_does_not_copy_a_file_into_itself(legacy, target, in_list, dry_run):
    before = Folder.of(legacy.parent)
    acts = [Scale(2), LoadWeights(legacy)] if in_list else LoadWeights(legacy)
    with pytest.raises(RequestError, match="source and target must be two files"):
        edit(legacy, acts, dry_run=dry_run)
    planned = plan(target, acts)
    with pytest.raises(RequestError, match="source and target must be two files"):
        planned.apply(legacy)
    assert Folder.of(legacy.parent) == before


def test_an_open_file_is_not_copied_into_itself(legacy):
    with open_weights(legacy, editable=True) as store:
        with pytest.raises(RequestError, match="source and target must be two files"):
            load_weights(store, legacy)
        with pytest.raises(RequestError, match="source and target must be two files"):
            load_weights(legacy, store)


@pytest.mark.parametrize("match", ["position", "", None])
def test_another_way_to_match_is_refused(match):
    with pytest.raises(RequestError, match="match must be one of auto, name, structure, order, shape, got"):
        LoadWeights("model.h5", match=match)


def test_it_prints_as_what_to_type():
    assert repr(LoadWeights("model.h5")) == "LoadWeights('model.h5')"
    assert repr(LoadWeights("model.h5", match="name")) == "LoadWeights('model.h5', match='name')"
    assert LoadWeights("model.h5") == LoadWeights("model.h5")


class _Source(WeightStore):
    """A store that holds three times the contract's weights."""

    label, format, ordered = "three times", "in the test", True

    def __init__(self, refs):
        self.refs = tuple(refs)

    def __iter__(self):
        return iter(self.refs)

    def __eq__(self, other):
        return isinstance(other, _Source)

    __hash__ = None

    def editing(self, *_):
        raise NotImplementedError

    def values(self, ref, span):
        values = (np.linspace(-2, 2, 60).astype(ref.dtype) * np.asarray(3, ref.dtype)).reshape(ref.shape)
        return values if span == slice(None) else values.reshape(-1)[span]


class TestContract(TransformContract):
    def make_transform(self):
        return LoadWeights(_Source(self.refs()))

    def refs(self):
        from weightkit.testing.transform_contract import _Store  # noqa: PLC0415

        return _Store(self.TYPES)

    def expected(self, ref, values):
        assert ref.dtype != ml_dtypes.bfloat16
        return values * np.float32(3)


def test_a_selection_of_weights_is_one_of_those_in_the_layer_that_is_filled(tmp_path):
    zeros = {"kernel": np.zeros((2, 3), "f4"), "bias": np.zeros(3, "f4")}
    source = write_legacy(tmp_path / "source.h5", {"x": {"kernel": KERNEL, "bias": BIAS}})
    target = write_legacy(tmp_path / "target.h5", {"a": zeros, "b": zeros})
    report = load_weights(target, source, where="role:kernel", target_at="b")
    assert [ref.path for ref in report.plan.chosen] == ["b/kernel"]
    assert report.plan.reasons() == {"not selected": 2, "it is not in b": 1}
    with pytest.raises(SelectionError, match="selects nothing that this edit can change: it is not in b"):
        load_weights(target, source, where="a/kernel", target_at="b")


def test_a_list_of_variables_is_called_by_their_number():
    class Variable:
        def __repr__(self):
            raise AssertionError("it shows all values")

    assert repr(LoadWeights([Variable(), Variable()])) == "LoadWeights(<2 variables>)"
