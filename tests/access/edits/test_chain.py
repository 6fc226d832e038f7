"""Several acts in one edit give what separate edits give, in one file with one backup."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import DATA, Folder, digest, plain_datasets, write_legacy, write_variables

from weightkit import Cast, Drop, LoadWeights, Reinitialize, Scale, Strip, edit, open_weights, plan
from weightkit.access.changes import Changes
from weightkit.access.edits.arithmetic import Losses, NonFinite
from weightkit.access.edits.chain import Chain, Step
from weightkit.access.edits.transform import Transform
from weightkit.access.ref import Kind
from weightkit.errors import NonFiniteError, RequestError
from weightkit.testing import TransformContract

GOLDEN = DATA / "keras315_nested.keras"
OTHER = Path(tempfile.mkdtemp()) / "other.keras"
"""The same model with other values."""
LISTS = {
    "scale twice": [Scale(0.1), Scale(3)],
    "initialize and scale": [Reinitialize(seed=7), Scale(0.5)],
    "a matrix drawn whole": [Reinitialize("orthogonal", seed=7), Scale(0.5)],
    "copy and scale": [LoadWeights(OTHER), Scale(0.3)],
    "scale and cast": [Scale(0.1), Cast("float16")],
    "all": [LoadWeights(OTHER), Reinitialize(seed=1), Scale(0.1), Cast("bfloat16")],
}


@pytest.fixture(scope="module", autouse=True)
def _other():
    edit(GOLDEN, Scale(3), output=OTHER)
    yield
    shutil.rmtree(OTHER.parent)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(GOLDEN, path)
    return path


@pytest.mark.parametrize("acts", LISTS.values(), ids=LISTS)
def test_a_list_gives_the_bits_of_separate_edits(model, acts):
    together = edit(model, acts, where="encoder", output=model.with_name("together.keras"), verify=True)
    for act in acts:
        edit(model, act, where="encoder", backup=False)
    wanted, found = plain_datasets(model), plain_datasets(together.output)
    assert {name: values.tobytes() for name, values in found.items()} == {
        name: values.tobytes() for name, values in wanted.items()
    }


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ml_dtypes.bfloat16])
def test_each_step_rounds_to_the_type_of_the_weight(tmp_path, dtype):
    values = {"d": {"kernel": np.linspace(-2, 2, 99).astype(dtype)}}
    one, two = (write_legacy(tmp_path / name, values) for name in ("one.h5", "two.h5"))
    edit(one, [Scale(0.1), Scale(1 / 3), Scale(7)], where="**")
    for factor in (0.1, 1 / 3, 7):
        edit(two, Scale(factor), where="**", backup=False)
    assert plain_datasets(one)["d/d/kernel:0"].tobytes() == plain_datasets(two)["d/d/kernel:0"].tobytes()


def test_one_edit_makes_one_backup(model):
    report = edit(model, [Scale(0.5), Scale(2), Cast("float16")])
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.keras", "model.keras.bak"]
    assert digest(report.backup) == digest(GOLDEN)


def test_each_act_changes_what_it_changes_alone(model):
    planned = plan(model, [Reinitialize(seed=7), Scale(0.5)])
    kinds = {ref.kind for ref in planned.chosen}
    assert kinds == {Kind.PARAMETER, Kind.STATISTIC}
    before = plain_datasets(model)
    edit(model, [Scale(0.5), LoadWeights(GOLDEN)], output=model.with_name("out.keras"))
    after = plain_datasets(model.with_name("out.keras"))
    assert {name: values.tobytes() for name, values in after.items()} == {
        name: values.tobytes() for name, values in before.items()
    }


def test_a_list_prints_as_what_to_type_and_of_one_it_is_that_one(model):
    assert str(plan(model, [Scale(0.5), Cast("float16")])).startswith("[Scale(0.5), Cast('float16')] changes 10 of 22")
    assert plan(model, [Scale(0.5)]) == plan(model, Scale(0.5))


def test_a_plan_of_a_list_applies_to_another_file(model):
    other = model.with_name("other.keras")
    shutil.copyfile(GOLDEN, other)
    with open_weights(other, editable=True) as store:
        plan(model, [Reinitialize(seed=7), Scale(0.5)]).apply(store)
    edit(model, [Reinitialize(seed=7), Scale(0.5)])
    assert digest(other) == digest(model)


@pytest.mark.parametrize(
    ("acts", "error", "why"),
    [
        ([], RequestError, "acts must be one or more, got none"),
        ([Cast("float16"), Scale(2)], RequestError, r"Cast\('float16'\) must be the last of a list"),
        ([Scale(2), Strip()], RequestError, r"must hold acts that set values, got Strip\(\)"),
        ([Scale(2), Scale(3e38)], NonFiniteError, "infinities"),
        ([Scale(2), "halve"], RequestError, "act must be an act such as"),
    ],
)
def test_a_list_that_cannot_be_done_whole_is_refused_and_nothing_is_changed(model, acts, error, why):
    edit(model, Scale(1e3), backup=False)
    before = Folder.of(model.parent)
    with pytest.raises(error, match=why):
        edit(model, acts)
    assert Folder.of(model.parent) == before


@pytest.mark.parametrize("where", ["encoder", None])
def test_a_removal_in_a_list_is_refused_for_being_in_a_list(model, where):
    with pytest.raises(RequestError, match="do it in a separate edit"):
        edit(model, [Scale(2), Drop()], where=where)


@pytest.mark.parametrize("acts", [[Scale(2.0), Cast("float16"), Cast("float32")], [Cast("float32"), Scale(2.0)]])
def test_a_cast_that_is_not_last_is_refused_for_its_place_and_not_for_the_types_of_the_file(model, acts):
    with pytest.raises(RequestError, match="must be the last of a list, got it before"):
        edit(model, acts)


@dataclass(frozen=True)
class Renames(Transform):
    """Changes an attribute of the file too, and does not say so beforehand."""

    def changes(self, store, chosen):
        return Changes(attributes={"": {"renamed": "yes"}})

    def __call__(self, ref, values, span=slice(None)):
        return values


def test_an_act_that_changes_the_file_must_be_last_whatever_it_says_of_itself(model):
    with pytest.raises(RequestError, match="must be the last of a list, got it before"):
        edit(model, [Renames(), Scale(2.0)])


@dataclass(frozen=True)
class Clip(Transform):
    """No element is further from zero than 1."""

    def __call__(self, ref, values, span=slice(None)):
        return np.clip(values, -1, 1)


@dataclass(frozen=True)
class Dubious(Clip):
    """Objects to weights of legacy files."""

    def objection(self, ref):
        return "" if ref.structure.startswith("layers/") else "it is in a legacy file"


@pytest.mark.parametrize("acts", [Dubious(), [Dubious(), Dubious()], [Scale(2.0), Dubious()]])
def test_an_act_of_a_list_is_asked_about_the_weights_of_the_store_that_its_plan_is_applied_to(tmp_path, acts):
    planned_on = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": np.ones((2, 3), "f4")})
    with h5py.File(planned_on, "r+") as file:
        file["layers/dense/vars"].attrs["name"] = "head"
    other = write_legacy(tmp_path / "m.h5", {"head": {"kernel": np.ones((2, 3), "f4")}})
    before, planned = digest(other), plan(planned_on, acts, "**")
    with open_weights(other, editable=True) as store, pytest.raises(RequestError, match="cannot be changed: it is in"):
        planned.apply(store)
    assert digest(other) == before


def test_infinities_between_two_acts_are_refused_as_in_two_edits(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1e10, 1, -1e10], "f4")}})
    with pytest.raises(NonFiniteError, match="into 2 infinities and 0 NaNs, in d/kernel"):
        edit(path, [Scale(1e38), Clip()])
    report = edit(path, [Scale(1e38), Clip()], allow_nonfinite=True)
    assert list(report.lost.values()) == [Losses(NonFinite(0, 2))]


def test_what_a_narrower_type_loses_is_counted_at_the_step_that_changes_the_type(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1, 3, 0.2, 1e-8], "f4")}})
    report = edit(path, [Scale(0.5), Cast("float16")])
    assert list(report.lost.values()) == [Losses(zeros=1, inexact=2)]


class Opened(Scale):
    """Counts how often it is open; opens only if it may."""

    def __enter__(self):
        if self.factor < 0:
            raise RequestError("it cannot be opened")
        OPEN.append(self.factor)
        return self

    def __exit__(self, *_):
        OPEN.remove(self.factor)


OPEN: list[float] = []


def test_what_was_opened_for_a_list_is_closed_when_the_next_cannot_be_opened():
    def step(factor):
        return Step(Opened(factor), frozenset())

    with Chain((step(2.0), step(3.0))):
        assert OPEN == [2.0, 3.0]
    assert not OPEN
    with pytest.raises(RequestError, match="cannot be opened"), Chain((step(2.0), step(-1.0), step(3.0))):
        pass
    assert not OPEN


@pytest.mark.parametrize("in_list", [False, True])
def test_a_store_in_the_place_of_an_act_is_refused_and_stays_open(model, in_list):
    other = model.with_name("other.keras")
    shutil.copyfile(GOLDEN, other)
    with open_weights(other) as store:
        with pytest.raises(RequestError, match="act must be an act such as"):
            edit(model, [Scale(2.0), store] if in_list else store)
        assert store[next(iter(store)).path].size


class TestContract(TransformContract):
    def make_transform(self):
        from weightkit.testing.transform_contract import _Store  # noqa: PLC0415

        refs = frozenset(_Store(self.TYPES))
        return Chain((Step(Scale(0.1), refs), Step(Scale(3), refs)))

    def expected(self, ref, values):
        return values * np.float32(0.1) * np.float32(3)
