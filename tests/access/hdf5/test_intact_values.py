"""Every path that hands out values checks what the file says of them: an archive's checksum, a chunk's."""

from __future__ import annotations

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import run_weightkit, write_archive, write_variables

from weightkit import Reinitialize, Scale, diff, edit, load_weights, open_weights, show
from weightkit.access.formats import member
from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

KERNEL, BIAS = np.arange(1, 13, dtype="f4").reshape(3, 4), np.ones(4, "f4")
WEIGHTS = {"layers/dense/vars/0": KERNEL, "layers/dense/vars/1": BIAS}


def archive(folder: Path, name: str = "model.keras") -> Path:
    return write_archive(folder / name, WEIGHTS)


def damaged_archive(folder: Path) -> Path:
    """One bit of the kernel is another one, and the archive's checksum says so."""
    path = archive(folder, "damaged.keras")
    raw = bytearray(path.read_bytes())
    raw[raw.index(KERNEL.tobytes()) + 20] ^= 1
    path.write_bytes(raw)
    with zipfile.ZipFile(path) as plain:
        assert plain.testzip() == "model.weights.h5"
    return path


def damaged_chunk(folder: Path) -> Path:
    """The same in a chunk with a checksum."""
    path = write_variables(folder / "damaged.weights.h5", {"layers/dense/vars/1": BIAS})
    with h5py.File(path, "a") as file:
        file.create_dataset("layers/dense/vars/0", data=KERNEL, chunks=(3, 4), fletcher32=True)
    raw = bytearray(path.read_bytes())
    raw[raw.index(KERNEL.tobytes()) + 20] ^= 1
    path.write_bytes(raw)
    with h5py.File(path) as file, pytest.raises(OSError, match=r"filter|read"):
        file["layers/dense/vars/0"][()]
    return path


def first(path: Path) -> Any:
    store = open_weights(path)
    return store, next(ref for ref in store if ref.shape == KERNEL.shape)


def read(path: Path, other: Path) -> object:  # noqa: ARG001
    store, ref = first(path)
    with store:
        return store.read(ref)


def read_a_part(path: Path, other: Path) -> object:  # noqa: ARG001
    store, ref = first(path)
    with store:
        return store.read(ref, slice(0, 2))


def read_the_values(path: Path, other: Path) -> object:  # noqa: ARG001
    store, ref = first(path)
    with store:
        return store.values(ref, slice(None))


def look(path: Path, other: Path) -> object:  # noqa: ARG001
    store, ref = first(path)
    with store:
        return store.look(ref)


def read_by_address(path: Path, other: Path) -> object:  # noqa: ARG001
    store, ref = first(path)
    with store:
        return store[ref.structure]


WAYS: list[Callable[[Path, Path], object]] = [
    read,
    read_a_part,
    read_the_values,
    look,
    read_by_address,
    lambda path, _: show(path, stats=True),
    diff,
    lambda path, other: diff(other, path),
    lambda path, other: load_weights(other, path),
    lambda path, other: edit(path, Scale(0.5), "**", output=other.with_name("scaled")),
    lambda path, _: edit(path, Scale(0.5), "**"),
]


@pytest.mark.parametrize("make", [damaged_archive, damaged_chunk])
def test_no_way_to_the_values_hands_out_damaged_ones(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path, other = make(tmp_path), archive(tmp_path)
    for number, way in enumerate(WAYS):
        with pytest.raises(DamagedFileError, match="checksum") as caught:
            way(path, other)
        assert caught.value.file, number
    with open_weights(path) as store:  # names, shapes and types are none of the values
        assert len(store) == 2
    assert "dense" in str(show(path))
    for arguments in (("show", "--stats", path), ("diff", other, path), ("scale", path, "--factor", "2", "-o", "out")):
        done = run_weightkit(*arguments, cwd=tmp_path)
        assert done.returncode == 3, arguments
        assert f"{path}: " in done.stderr
        assert "checksum" in done.stderr


def test_a_damaged_chunk_is_said_to_be_of_its_weight(tmp_path: Path) -> None:
    store, ref = first(damaged_chunk(tmp_path))
    with store, pytest.raises(DamagedFileError, match=rf"weights.h5: {ref.path}: a chunk's checksum is wrong — use"):
        store.read(ref)


def test_a_weight_is_not_handed_out_where_another_one_of_its_archive_is_damaged(tmp_path: Path) -> None:
    """The checksum says that something is wrong, and not what."""
    with open_weights(damaged_archive(tmp_path)) as store:
        (bias,) = (ref for ref in store if ref.shape == BIAS.shape)
        for _ in range(2):
            with pytest.raises(DamagedFileError, match=r"model.weights.h5: its checksum must be \w{8}, got \w{8}"):
                store.read(bias)


def test_an_archive_is_checked_once_however_many_threads_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def counted(*arguments: int) -> int:
        checked.append(arguments)
        return original(*arguments)

    original = member.crc32_of
    monkeypatch.setattr(member, "crc32_of", counted)
    with open_weights(archive(tmp_path)) as store, ThreadPoolExecutor(8) as pool:
        assert checked == []
        refs = list(store) * 20
        values = list(pool.map(store.read, refs))
        assert len(checked) == 1
    assert all(np.array_equal(got, KERNEL if got.ndim == 2 else BIAS) for got in values)


def test_an_edit_that_reads_no_values_checks_the_archive_too(tmp_path: Path) -> None:
    path = damaged_archive(tmp_path)
    shutil.copy(path, tmp_path / "before")
    with pytest.raises(DamagedFileError, match="checksum"), open_weights(path, editable=True) as store:
        edit(store, Reinitialize("zeros", seed=1), "**")
    assert path.read_bytes() == (tmp_path / "before").read_bytes()
