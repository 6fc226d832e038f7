"""A file of optimizer state is known by its schema, and its weights by their addresses."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit import diff, open_weights
from weightkit.access.hdf5.writing.new_file import Fresh, write_fresh
from weightkit.access.ref import Kind
from weightkit.errors import DamagedFileError, UnsupportedFileError

WEIGHT = {
    "structure": "layers/dense/vars/0", "path": "body/kernel", "layer": "body", "name": "kernel", "kind": "parameter",
    "layer_class": "Dense", "dtype": "float32", "shape": "2,3", "index": "0", "duplicate": "1",
}  # fmt: skip


def groups(**changes):
    return {
        "": {"schema": "weightkit.optimizer/1", "keras_version": "3.15.1", "ordered": "true"},
        "optimizer": {"class": "Adam", "config": ""},
        "weights": {},
        "weights/0": {key: text for key, text in (WEIGHT | changes).items() if text is not None},
    }


@pytest.fixture
def written(tmp_path):
    def write(made, name="opt.h5"):
        slots = {"optimizer/iteration": np.array(3), "weights/0/momentum": np.ones((2, 3), "float32")}
        return write_fresh(tmp_path / name, Fresh(made, slots, {"weights/0/momentum": {"kept_by": "Adam"}}))

    return write


def test_its_datasets_are_optimizer_state_with_readable_paths(written):
    with open_weights(written(groups())) as store:
        assert [ref.path for ref in store] == ["optimizer/iteration", "body/kernel/momentum"]
        assert {ref.kind for ref in store} == {Kind.OPTIMIZER}
        assert (store.format, store.keras_version, store.ordered) == ("optimizer state", "3.15.1", True)


def test_its_manifest_gives_the_models_addresses(written):
    with open_weights(written(groups())) as store:
        [kept] = store.manifest.weights
        assert (kept.ref.path, kept.ref.shape, kept.ref.layer_class) == ("body/kernel", (2, 3), "Dense")
        assert kept.kept_by == {"momentum": "Adam"}
        assert store.read(kept.slots["momentum"]).sum() == 6


def test_what_is_not_known_of_a_weight_may_be_absent(written):
    with open_weights(written(groups(layer=None, name=None, layer_class=None))) as store:
        assert store.manifest.weights[0].ref.path == "layers/dense/vars/0"


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": "2,x"},
        {"kind": "monster"},
        {"dtype": "object9"},
        {"index": None},
        {"duplicate": "one"},
        {"dtype": "(1,f4"},
        {"dtype": "f4,("},
    ],
    ids=str,
)
def test_a_weight_that_does_not_tell_its_address_is_refused(changes, written):
    with pytest.raises(DamagedFileError, match="weights/0"):
        open_weights(written(groups(**changes)))


def test_a_weight_of_a_number_of_thousands_of_digits_is_refused(written):
    made = groups()
    made[f"weights/{'9' * 4000}"] = made["weights/0"]
    with pytest.raises(DamagedFileError, match="it is not a number"):
        open_weights(written(made))


def test_a_later_version_is_refused(written):
    made = groups()
    made[""]["schema"] = "weightkit.optimizer/2"
    with pytest.raises(UnsupportedFileError, match="a newer weightkit"):
        open_weights(written(made))


def test_two_of_them_are_compared_as_any_two_files(written):
    assert diff(written(groups()), written(groups(), "other.h5")).equal
