"""diff() takes paths and open stores, and gives back what a store's owner opened."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import DATA

from weightkit import diff, open_weights
from weightkit.errors import RequestError, WeightkitError

NESTED = DATA / "keras315_nested.keras"


def test_paths_as_text_and_as_paths_and_open_stores_are_compared():
    assert diff(str(NESTED), Path(NESTED)).equal
    with open_weights(NESTED) as store:
        assert diff(store, NESTED).equal
        assert diff(store, store).equal
        assert isinstance(store.read(next(iter(store))), np.ndarray)  # it was not closed


def test_files_are_closed_again():
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    before = len(list(folder.iterdir()))
    diff(NESTED, NESTED)
    assert len(list(folder.iterdir())) == before


@pytest.mark.parametrize("tolerance", [{"rtol": -1}, {"atol": float("nan")}, {"atol": float("inf")}])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(RequestError, match="must be a finite number >= 0"):
        diff(NESTED, NESTED, **tolerance)


def test_what_is_no_path_and_no_store_is_refused():
    with pytest.raises(RequestError, match="must be a path or a Keras 3 model, got int"):
        diff(NESTED, 3)


def test_both_reading_processes_start_before_numpy_is_loaded():
    """They load h5py while this process loads NumPy; the second one is not late."""
    program = """
import subprocess, sys
whole, started = subprocess.Popen.__init__, []
def start(self, *arguments, **options):
    started.append("numpy" in sys.modules)
    whole(self, *arguments, **options)
subprocess.Popen.__init__ = start
from weightkit import diff
assert diff(sys.argv[1], sys.argv[2]).equal
print(started)
"""
    path = str(DATA / "keras1_nested.h5")
    done = subprocess.run([sys.executable, "-c", program, path, path], capture_output=True, text=True, check=True)
    assert done.stdout == "[False, False]\n"


def test_a_first_file_is_closed_again_where_the_second_is_refused(tmp_path):
    path, text = tmp_path / "model.h5", tmp_path / "text"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    text.write_bytes(b"no weights")
    for pair in ((path, text), (text, path), (path, tmp_path / "nothing")):
        with pytest.raises(WeightkitError):
            diff(*pair)
    open_weights(path, editable=True).close()
