"""match() takes paths, open stores, models and references, and closes what it opened."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import DATA, write_variables

from weightkit import match, open_weights
from weightkit.errors import RequestError

FIRST, SECOND = DATA / "tfkeras215_nested.h5", DATA / "tfkeras215_nested.keras"


def test_paths_stores_and_references_are_matched_alike():
    with open_weights(FIRST) as ours, open_weights(SECOND) as theirs:
        expected = match(ours, theirs)
        assert expected.fits
        for first in (ours, FIRST, str(FIRST)):
            for second in (theirs, SECOND, str(SECOND)):
                assert match(first, second) == expected
        assert match(list(ours), iter(theirs), ordered=True).pairs == expected.pairs
        assert match(tuple(ours), SECOND).fits
        assert len(ours) > 0
        assert ours.read(next(iter(ours))).size  # it was not closed


def test_what_was_opened_is_closed_again(tmp_path):
    path = Path(shutil.copy(FIRST, tmp_path))
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208  # it is not an ordinary folder
    assert match(path, path).complete
    with pytest.raises(RequestError, match="must be a path or a Keras 3 model, got int"):
        match(path, 3)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
    open_weights(path, editable=True).close()


@pytest.mark.parametrize("target", [5, None, b"model.h5", [1, 2], ["model.h5"]])
def test_what_is_no_target_is_refused_in_words(target):
    for pair in ((target, FIRST), (FIRST, target)):
        with pytest.raises(RequestError, match="must be a"):
            match(*pair)


def test_a_file_that_is_not_there_and_an_unknown_rule_are_request_errors(tmp_path):
    with pytest.raises(RequestError, match="there is no such file"):
        match(FIRST, tmp_path / "nothing.h5")
    with pytest.raises(RequestError, match="match must be a known rule, got 'nmae'"):
        match(FIRST, SECOND, "nmae")


def test_no_references_match_nothing(tmp_path):
    path = write_variables(tmp_path / "m.weights.h5", {"layers/a/vars/0": 1.0})
    assert [ref.structure for ref in match([], path, "name").unused] == ["layers/a/vars/0"]
