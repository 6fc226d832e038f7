"""The unnamed file for values that are not contiguous: exact places, and a full disk does not end the process."""

from __future__ import annotations

import os
import resource
import tempfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder

from weightkit import open_weights
from weightkit.access.files.spool import Spool
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


@pytest.fixture
def spool() -> Iterator[Any]:
    made = Spool()
    yield made
    made.close()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process may grow past a mebibyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_reserved_bytes_are_zero_apart_and_on_the_disk(spool: Spool) -> None:
    places = [spool.reserve(size) for size in (100, 0, 1, 64, 5000)]
    assert places == sorted(places)
    assert all(place % 64 == 0 for place in places)
    assert places[2] - places[0] >= 100
    status = os.fstat(spool.fd)
    assert status.st_size >= places[-1] + 5000
    assert status.st_blocks * 512 >= status.st_size
    assert os.pread(spool.fd, status.st_size, 0) == bytes(status.st_size)


def test_an_array_is_what_lies_in_the_file_and_the_other_way_round(spool: Spool) -> None:
    spool.reserve(1000)
    offset = spool.reserve(24)
    values = spool.array(offset, (2, 3), np.dtype("<f4"))
    values[...] = [[1, 2, 3], [4, 5, 6]]
    assert os.pread(spool.fd, 24, offset) == np.arange(1, 7, dtype="<f4").tobytes()
    os.pwrite(spool.fd, np.float32(9).tobytes(), offset + 4)
    assert values[0].tolist() == [1, 9, 3]


def test_what_is_appended_comes_after_what_was_reserved(spool: Spool) -> None:
    first = spool.reserve(10)
    second, third = spool.append(b"abc"), spool.append(b"defg")
    spool.reserve(1000)
    assert first + 10 <= second < third
    assert os.pread(spool.fd, 3, second) + os.pread(spool.fd, 4, third) == b"abcdefg"


@pytest.mark.parametrize("size", [8, 16, (1 << 20) - 8, 1 << 20, (3 << 20) + 24])
def test_one_element_is_repeated_exactly(spool: Spool, size: int) -> None:
    spool.reserve(64)
    offset = spool.reserve(size)
    behind = spool.reserve(8)
    spool.repeat(offset, size, b"\1\2\3\4\5\6\7\10")
    assert os.pread(spool.fd, size, offset) == b"\1\2\3\4\5\6\7\10" * (size // 8)
    assert os.pread(spool.fd, 8, offset - 8) + os.pread(spool.fd, 8, behind) == bytes(16)


def test_it_has_no_name_and_its_space_is_free_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    spool.reserve(5000)
    assert list(tmp_path.iterdir()) == []
    fd = spool.fd
    spool.close()
    spool.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_the_machine_s_fault(spool: Spool) -> None:
    spool.reserve(1 << 19)
    with pytest.raises(MachineError, match=r"its values need 1048576 bytes in the temporary folder .* TMPDIR"):
        spool.reserve(1 << 20)
    with pytest.raises(MachineError, match="temporary folder"):
        spool.append(bytes(1 << 20))
    assert spool.reserve(1 << 18) == 1 << 19


def test_a_temporary_folder_that_takes_nothing_is_the_machine_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match="nowhere: No such file or directory — make room there, or set TMPDIR"):
        Spool()


def test_where_no_temporary_folder_can_be_used_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "nowhere")])
    with pytest.raises(MachineError, match=r"in a temporary folder: No usable temporary directory .* set TMPDIR"):
        Spool()


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("size", [1 << 19, 1 << 17])
def test_a_weight_that_finds_no_room_is_an_error_in_words_and_never_a_signal(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        for number in range(6):
            file.create_dataset(f"layers/a/vars/{number}", data=np.zeros(size, "f4"), chunks=(5000,), compression=9)
    before = Folder.of(tmp_path)
    with open_weights(path, editable=True) as store:
        refs = list(store)
        with (
            pytest.raises(MachineError, match=r"model.h5: its values need \d+ bytes in the temporary folder"),
            store.editing(refs),
        ):
            pass
    assert Folder.of(tmp_path) == before
