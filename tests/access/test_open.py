"""Opening: the content decides the format, and a file without weights is refused with a reason."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from support import DATA, GOLDEN, Folder, modules_loaded_by

from weightkit import Scale, diff, edit, match, open_weights
from weightkit.access.edits.choose import plan_edit
from weightkit.errors import BusyError, DamagedFileError, RefusedError, RequestError, UnsupportedFileError


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_the_name_of_a_file_says_nothing_about_its_format(path, tmp_path):
    renamed = tmp_path / ("model.h5" if path.suffix == ".keras" else "model.keras")
    shutil.copyfile(path, renamed)
    with open_weights(path) as store, open_weights(renamed) as other:
        assert (store.format, list(store)) == (other.format, list(other))


class BytesPath:
    def __fspath__(self):
        return b"model.h5"


@pytest.mark.parametrize("target", [3, None, 1.5, ["model.h5"], b"model.h5", BytesPath()])
def test_what_is_no_path_is_refused_as_a_target(target):
    with pytest.raises(RequestError, match=r"must be a (path|Keras 3 variable)"):
        open_weights(target)


def test_a_path_may_be_text_or_a_path_object():
    for target in (DATA / "keras1_nested.h5", str(DATA / "keras1_nested.h5")):
        with open_weights(target) as store:
            assert len(store) == 14
            assert store.label == str(target)


def test_a_file_that_is_not_there_is_a_request_error(tmp_path):
    with pytest.raises(RequestError, match="there is no such file"):
        open_weights(tmp_path / "nothing.h5")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello", "neither HDF5 nor a .keras archive"),
        (b"\x00" * 5000, "neither HDF5 nor a .keras archive"),
        (b' {"metadata": {}}', "JSON text, not weights"),
        (b"\x89HDF\r\n\x1a", "neither HDF5 nor"),
    ],
)
def test_what_is_no_weight_file_is_refused_in_words(tmp_path, content, problem):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFileError, match=problem) as caught:
        open_weights(path)
    assert caught.value.file == str(path)
    assert caught.value.hint


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_truncated_file_is_refused(tmp_path, path):
    cut = tmp_path / "model.h5"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RefusedError) as caught:
        open_weights(cut)
    assert caught.value.file == str(cut)


def test_a_folder_a_pipe_and_a_socket_are_refused_without_hanging(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(os.path.relpath(tmp_path / "socket"))
        for name, problem in {"": "a folder", "pipe": "a pipe or a device", "socket": "a socket or a device"}.items():
            with pytest.raises(UnsupportedFileError, match=problem):
                open_weights(tmp_path / name)
    with pytest.raises(UnsupportedFileError, match="a pipe or a device"):
        open_weights(os.devnull)


def test_hdf5_that_holds_no_weights_is_refused_with_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["table"] = np.ones(3)
    with pytest.raises(UnsupportedFileError, match="no Keras weights: it holds table"):
        open_weights(tmp_path / "other.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(UnsupportedFileError, match="no Keras weights: it is empty"):
        open_weights(tmp_path / "empty.h5")


def test_a_zip_that_is_no_keras_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("readme", "no")
    with pytest.raises(UnsupportedFileError, match=r"holds no model\.weights\.h5"):
        open_weights(tmp_path / "some.zip")
    (tmp_path / "bad.keras").write_bytes(b"PK\x03\x04" + b"x" * 100)
    with pytest.raises(DamagedFileError):
        open_weights(tmp_path / "bad.keras")


def open_descriptors():
    """Descriptors that are open in this process: /dev/fd exists on Linux and on macOS."""
    return {int(number) for number in os.listdir("/dev/fd")}  # noqa: PTH208  # it is not an ordinary folder


def test_a_refused_file_leaves_no_lock_and_no_descriptor_behind(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"no")
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(UnsupportedFileError):
            open_weights(path, editable=True)
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    open_weights(path, editable=True).close()
    assert open_descriptors() == before


def test_many_may_read_and_one_may_edit(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    with (
        open_weights(path),
        open_weights(path),
        pytest.raises(BusyError, match=r"open in this process, by a store .* close the store first"),
    ):
        open_weights(path, editable=True)
    with h5py.File(path), pytest.raises(BusyError, match="the file is open elsewhere, in another process or in this"):
        open_weights(path, editable=True)
    with open_weights(path, editable=True):
        refused = error_in_another_process(path)
        assert "BusyError" in refused
        assert "open for writing elsewhere" in refused


def error_in_another_process(path):
    """What it prints that opens the file there."""
    program = "import sys; from weightkit import open_weights; open_weights(sys.argv[1]).close()"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    return done.stderr


def test_a_file_that_this_process_edits_is_said_to_be_open_here(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    with open_weights(path, editable=True) as store:
        for use in (
            lambda: open_weights(path),
            lambda: diff(store, path),
            lambda: diff(path, store),
            lambda: match(store, path),
        ):
            with pytest.raises(
                RequestError, match=r"open for editing in this process.*give another file or the open store"
            ):
                use()
        assert diff(store, store).equal
    with open_weights(path) as again:
        assert len(again) > 0


def test_the_file_itself_is_not_borrowed_from_while_it_is_edited(tmp_path):
    path, link = tmp_path / "model.h5", tmp_path / "link.h5"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    link.symlink_to(path)
    for like in (path, link, str(path)):
        with pytest.raises(RequestError, match="like must be another file, got the file itself"):
            edit(path, Scale(0.5), like=like)


def test_a_store_that_was_opened_for_reading_refuses_to_be_edited(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    before = Folder.of(tmp_path)
    with open_weights(path) as store, pytest.raises(RequestError, match="open for reading only"):
        plan_edit(store, Scale(0.5)).apply(store)
    assert Folder.of(tmp_path) == before


def test_reading_a_file_loads_neither_h5py_nor_keras_nor_a_backend():
    code = "import sys; from weightkit import open_weights, plan, Scale; plan(sys.argv[1], Scale(0.5))"
    assert modules_loaded_by(code, DATA / "keras315_nested.keras") == {"numpy", "ml_dtypes"}


def test_names_with_odd_characters_are_opened(tmp_path):
    path = tmp_path / "größe \n [x].h5"
    shutil.copyfile(DATA / "keras1_nested.h5", path)
    with open_weights(path) as store:
        assert len(store) == 14
    with pytest.raises(RequestError, match="null character"):
        open_weights("a\0b")
