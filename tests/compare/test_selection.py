"""A selection reaches a pair where it matches either of it."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit import diff
from weightkit.errors import SelectionError

ONES, TWOS = {"kernel": np.ones((2, 2), "f4"), "bias": np.ones(2, "f4")}, {"kernel": np.full((2, 2), 2, "f4")}


def test_where_and_exclude_narrow_what_is_compared(files):
    paths = files({"a": ONES, "b": ONES}, {"a": ONES, "b": ONES | TWOS})
    assert not diff(*paths).equal
    assert diff(*paths, where="a").equal
    assert diff(*paths, exclude="b/kernel").equal
    assert [found.path for found in diff(*paths, where=["name:kernel"], exclude=["a"]).weights] == ["b/kernel"]


def test_what_is_only_on_one_side_can_be_selected_and_left_out(files):
    paths = files({"a": ONES, "gone": ONES}, {"a": ONES, "new": TWOS})
    assert {found.path for found in diff(*paths, where="new").weights} == {"new/kernel"}
    assert {found.path for found in diff(*paths, where="gone").weights} == {"gone/kernel", "gone/bias"}
    assert diff(*paths, exclude=["new", "gone"]).equal


def test_a_path_that_matches_nothing_in_either_is_refused(files):
    paths = files({"alpha": ONES}, {"alpha": ONES})
    with pytest.raises(SelectionError, match=r"'alhpa' chooses nothing — did you mean alpha"):
        diff(*paths, where="alhpa")
    with pytest.raises(SelectionError, match="'alhpa' chooses nothing"):
        diff(*paths, exclude=["alhpa"])


def test_without_a_selection_two_files_without_weights_are_equal(files):
    found = diff(*files({}, {}))
    assert found.equal
    assert found.summary() == "0 weights are equal"
    assert diff(*files({"a": {}}, {"a": {}})).equal


def test_a_selection_that_leaves_nothing_is_refused(files):
    with pytest.raises(SelectionError, match="leaves nothing to compare"):
        diff(*files({"a": ONES}, {"a": ONES}), where="a", exclude="a")
