"""Names borrowed from another file of the same model."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from support import DATA, Folder, half, plain_datasets, write_legacy
from weightkit import Kind, edit, open_weights, plan, scale
from weightkit.errors import RequestError, SelectionError, UnsupportedFileError

NESTED = DATA / "keras315_nested.keras"
SUBCLASSED = DATA / "keras315_subclassed.weights.h5"


def version_3(path, objects, *, names=True):
    """A ``.weights.h5`` of a subclassed model: no config, attribute names for keys; written with plain h5py."""
    with h5py.File(path, "w") as file:
        for place, variables in objects.items():
            group = file.create_group(f"{place}/vars")
            if names:
                group.attrs["name"] = place.rpartition("/")[2]
            for number, values in enumerate(variables):
                group.create_dataset(str(number), data=values)
    return path


@pytest.fixture
def anonymous(tmp_path):
    """The weights of the golden nested model alone, as ``save_weights`` would give them, but under no class names."""
    path = tmp_path / "anonymous.weights.h5"
    with h5py.File(path, "w") as file:
        for name, values in plain_datasets(NESTED).items():
            file.create_dataset(name, data=values)
    return path


def kinds(path, like=None):
    with open_weights(path, like=like) as store:
        return {ref.structure: (ref.path, ref.kind, ref.known_from) for ref in store}


def test_a_default_edit_that_was_refused_is_done_with_borrowed_names(anonymous):
    before = plain_datasets(anonymous)
    with pytest.raises(SelectionError, match="--like"):
        edit(anonymous, scale(0.5))
    report = edit(anonymous, scale(0.5), like=NESTED)
    assert {ref.path for ref in report.plan.chosen} == {ref.path for ref in plan(NESTED, scale(0.5)).chosen}
    changed = {ref.structure for ref in report.plan.chosen}
    for name, values in plain_datasets(anonymous).items():
        expected = half(before[name]) if name in changed else before[name]
        assert values.tobytes() == expected.tobytes(), name


def test_borrowed_names_say_where_they_come_from(anonymous):
    found, theirs = kinds(anonymous, like=NESTED), kinds(NESTED)
    assert found.keys() == theirs.keys()
    borrowed = {name for name, (_, _, source) in found.items() if source == "like"}
    assert borrowed
    assert all(found[name][:2] == theirs[name][:2] for name in borrowed)


def test_what_the_file_tells_itself_is_not_replaced(tmp_path):
    ours = write_legacy(tmp_path / "ours.h5", {"dense": {"kernel": np.ones(2, "f4")}, "mine": {"gain": np.ones(2)}})
    theirs = write_legacy(tmp_path / "theirs.h5", {"dense": {"kernel": np.ones(2, "f4")}, "mine": {"kernel": [1.0]}})
    with pytest.raises(RequestError):
        open_weights(ours, like=theirs)
    with open_weights(ours) as store:
        assert next(iter(store)).known_from == "file"


def test_a_file_with_all_its_names_may_be_given_another_to_borrow_from_in_vain():
    assert kinds(NESTED, like=DATA / "keras315_recurrent.keras") == kinds(NESTED)


def test_a_file_of_another_model_is_refused_when_shapes_differ(tmp_path):
    ours = version_3(tmp_path / "ours.weights.h5", {"layers/dense": [np.ones((2, 2)), np.ones(2), np.ones(2)]})
    shutil.copyfile(NESTED, tmp_path / "theirs.keras")
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError) as caught:
        edit(ours, scale(0.5), like=tmp_path / "theirs.keras")
    assert caught.value.mend.startswith("give a file of the same model")
    assert Folder.of(tmp_path) == before


def test_different_shapes_are_told_with_both(tmp_path, anonymous):
    with h5py.File(anonymous, "r+") as file:
        del file["layers/functional/layers/sequential/layers/batch_normalization/vars/0"]
        file["layers/functional/layers/sequential/layers/batch_normalization/vars/0"] = np.ones((7,), "f4")
    with pytest.raises(RequestError, match=r"has shape \(7,\) here and \(2,\) in .*nested.keras"):
        open_weights(anonymous, like=NESTED)


def test_a_file_that_names_none_of_the_weights_is_refused():
    with pytest.raises(RequestError, match=r"names none of the \d+ weights whose names are not known"):
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


def test_weights_that_stay_unknown_still_have_to_be_decided(anonymous):
    with h5py.File(anonymous, "r+") as file:
        file["layers/mine/vars/0"] = np.ones(3, "f4")
    with pytest.raises(SelectionError, match="what layers/mine/vars/0 is"):
        edit(anonymous, scale(0.5), like=NESTED)


def test_optimizer_state_stays_optimizer_state(anonymous):
    found = kinds(anonymous, like=NESTED)
    assert {kind for name, (_, kind, _) in found.items() if name.startswith("optimizer/")} == {Kind.OPTIMIZER}


def test_borrowing_from_the_file_itself_while_editing_it_is_possible(anonymous):
    shutil.copyfile(NESTED, anonymous.with_name("model.keras"))
    edit(anonymous.with_name("model.keras"), scale(0.5), like=NESTED)
    assert anonymous.with_name("model.keras.bak").exists()
