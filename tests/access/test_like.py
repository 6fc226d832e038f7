"""Names borrowed from another file of the same model."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest
from support import DATA, Folder, digest, half, plain_datasets, write_legacy, write_variables

from weightkit import Kind, Reinitialize, Scale, edit, open_weights
from weightkit.access.like import borrow_names
from weightkit.access.ref import Source, WeightRef
from weightkit.access.store import WeightStore
from weightkit.errors import RequestError, SelectionError, UnsupportedFileError

NESTED = DATA / "keras315_nested.keras"
LEGACY = DATA / "keras20_optimizer.h5"
SUBCLASSED = DATA / "keras315_subclassed.weights.h5"


LAYERS = [
    {"class_name": "Dense", "config": {"name": "first", "units": 2, "use_bias": True}},
    {"class_name": "BatchNormalization", "config": {"name": "norm", "center": True, "scale": False}},
]
VALUES = {
    "layers/dense/vars/0": np.arange(6, dtype="f4").reshape(3, 2),
    "layers/dense/vars/1": np.array([1, -1], "f4"),
    "layers/batch_normalization/vars/0": np.array([2, 3], "f4"),  # beta, or gamma? the file alone does not tell
    "layers/batch_normalization/vars/1": np.array([4, 5], "f4"),
    "layers/batch_normalization/vars/2": np.array([6, 7], "f4"),
    "optimizer/vars/0": np.int64(3),
}


def weights_h5(path, values):
    """A ``.weights.h5``, written with plain h5py."""
    with h5py.File(path, "w") as file:
        for name, array in values.items():
            file[name] = array
    return path


@pytest.fixture
def anonymous(tmp_path):
    """Weights without a hint which of three equal vectors is the parameter."""
    return weights_h5(tmp_path / "anonymous.weights.h5", VALUES)


@pytest.fixture
def archive(tmp_path):
    """A ``.keras`` of the same model: its configuration says it."""
    inner = weights_h5(tmp_path / "inner.h5", VALUES)
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": LAYERS}}
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        archive.write(inner, "model.weights.h5")
    inner.unlink()
    return tmp_path / "model.keras"


def kinds(path, like=None):
    with open_weights(path, like=like) as store:
        return {ref.structure: (ref.path, ref.kind, ref.known_from) for ref in store}


def test_a_default_edit_that_was_refused_is_done_with_borrowed_names(anonymous, archive):
    with pytest.raises(SelectionError, match="--like"):
        edit(anonymous, Scale(0.5))
    report = edit(anonymous, Scale(0.5), like=archive)
    assert [ref.path for ref in report.plan.chosen] == ["norm/beta", "first/kernel", "first/bias"]
    changed = {ref.structure for ref in report.plan.chosen}
    for name, values in plain_datasets(anonymous).items():
        expected = half(VALUES[name]) if name in changed else VALUES[name]
        assert values.tobytes() == expected.tobytes(), name


def test_borrowed_names_say_where_they_come_from(anonymous, archive):
    assert kinds(anonymous)["layers/batch_normalization/vars/0"][1:] == (Kind.UNKNOWN, None)
    found = kinds(anonymous, like=archive)
    assert found["layers/batch_normalization/vars/0"] == ("norm/beta", Kind.PARAMETER, "like")
    assert found["layers/batch_normalization/vars/2"] == ("norm/moving_variance", Kind.STATISTIC, "like")
    assert found["layers/dense/vars/0"] == ("first/kernel", Kind.PARAMETER, "like")


def test_borrowed_names_can_be_selected_by(anonymous, archive):
    report = edit(anonymous, Scale(0.5), where="first/bias", like=archive)
    assert [ref.structure for ref in report.plan.chosen] == ["layers/dense/vars/1"]


def test_a_file_with_all_its_names_may_be_given_another_to_borrow_from_in_vain():
    assert kinds(NESTED, like=DATA / "keras315_recurrent.keras") == kinds(NESTED)
    assert kinds(LEGACY, like=NESTED) == kinds(LEGACY)


def test_a_file_of_another_model_is_refused_and_told_with_both_shapes(archive, tmp_path):
    other = weights_h5(tmp_path / "other.weights.h5", VALUES | {"layers/batch_normalization/vars/0": np.ones(7, "f4")})
    before = Folder.of(tmp_path)
    said = (
        r"vars holds 0 \(7,\) floating-point, .* here, and 0 \(2,\) floating-point, .* in .*model.keras — give a file"
    )
    with pytest.raises(RequestError, match=said):
        edit(other, Scale(0.5), like=archive)
    assert Folder.of(tmp_path) == before


def test_a_file_that_names_none_of_the_weights_is_refused():
    with pytest.raises(RequestError, match=r"names none of the \d+ weights that have no names or kinds here"):
        open_weights(SUBCLASSED, like=NESTED)


def test_a_file_that_knows_no_more_is_refused_too():
    with pytest.raises(RequestError, match="names none"):
        open_weights(SUBCLASSED, like=SUBCLASSED)


def test_what_is_no_weight_file_cannot_be_borrowed_from(anonymous, tmp_path):
    (tmp_path / "text").write_text("no")
    with pytest.raises(UnsupportedFileError) as caught:
        open_weights(anonymous, like=tmp_path / "text")
    assert caught.value.file == str(tmp_path / "text")
    with pytest.raises(RequestError, match="there is no such file"):
        open_weights(anonymous, like=tmp_path / "nothing")


def test_weights_that_stay_unknown_still_have_to_be_decided(archive, tmp_path):
    other = weights_h5(tmp_path / "other.weights.h5", VALUES | {"layers/mine/vars/0": np.ones(3, "f4")})
    with pytest.raises(SelectionError, match="what layers/mine/vars/0 is"):
        edit(other, Scale(0.5), like=archive)


def test_optimizer_state_stays_optimizer_state(anonymous, archive):
    assert kinds(anonymous, like=archive)["optimizer/vars/0"][1] is Kind.OPTIMIZER


def test_the_file_that_is_borrowed_from_is_not_touched(anonymous, archive):
    before = digest(archive)
    edit(anonymous, Scale(0.5), like=archive)
    assert digest(archive) == before


def test_names_are_borrowed_for_whole_objects_only(tmp_path):
    vector = np.ones(3, np.float32)
    layer = "layers/batch_normalization/vars"
    three = write_variables(tmp_path / "a.weights.h5", {f"{layer}/{n}": vector for n in range(3)})
    four = write_variables(tmp_path / "b.weights.h5", {f"{layer}/{n}": vector for n in range(4)})
    with pytest.raises(RequestError, match="layers/batch_normalization/vars holds 0"), open_weights(three, like=four):
        pass


class Named(WeightStore):
    """Weights with names and kinds, as a model in memory has them; no values."""

    label, format, ordered = "model", "model", True

    def __init__(self, *weights):
        self._refs = [
            WeightRef(f"layers/{i}/vars/0", layer, 0, name, shape, np.dtype("f4"), kind, None, None, Source.MODEL)
            for i, (layer, name, shape, kind) in enumerate(weights)
        ]

    def __iter__(self):
        return iter(self._refs)

    def values(self, ref, span):
        raise NotImplementedError

    def editing(self, *_):
        raise NotImplementedError


def test_names_pair_weights_where_the_structure_differs(tmp_path):
    """A model in memory has the structure of the newer format, and the names of the older."""
    path = write_legacy(
        tmp_path / "m.h5", {"mine": {"w2": np.ones((3, 2), "f4")}, "dense_7": {"scale": np.ones(2, "f4")}}
    )
    other = Named(("mine", "w2", (3, 2), Kind.PARAMETER), ("dense_2", "scale", (2,), Kind.STATISTIC))
    with open_weights(path) as store:
        found = borrow_names(store, other)
    assert [(ref.path, ref.structure, ref.kind, ref.known_from) for ref in found.values()] == [
        ("mine/w2", "mine/mine/w2:0", Kind.PARAMETER, "like"),
        ("dense_7/scale", "dense_7/dense_7/scale:0", Kind.STATISTIC, "like"),
    ]


def test_another_shape_under_the_same_names_is_refused(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"mine": {"w2": np.ones((3, 2), "f4")}})
    with (
        open_weights(path) as store,
        pytest.raises(RequestError, match=r"mine/w2 has shape \(3, 2\) here, and \(4, 2\)"),
    ):
        borrow_names(store, Named(("mine", "w2", (4, 2), Kind.PARAMETER)))


def test_names_of_unknown_kind_are_not_borrowed(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"mine": {"w2": np.ones((3, 2), "f4")}})
    with open_weights(path) as store, pytest.raises(RequestError, match="names none of the 1 weights"):
        borrow_names(store, Named(("mine", "w2", (3, 2), Kind.UNKNOWN)))


def test_a_configuration_is_borrowed_across_formats(tmp_path, archive):
    """A legacy file of weights alone begins again as the archive of the same model says."""
    values = {"first": {"kernel": np.full((3, 2), 9, "f4"), "bias": np.full(2, 9, "f4")}}
    path = write_legacy(tmp_path / "m.h5", values)
    edit(path, Reinitialize(seed=1), like=archive)
    after = plain_datasets(path)
    assert after["first/first/bias:0"].tolist() == [0, 0]
    assert not np.any(after["first/first/kernel:0"] == 9)
