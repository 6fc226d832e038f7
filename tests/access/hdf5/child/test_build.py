"""A new file that differs from the plan is never put in place, whatever happens to its builder."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder, halve, plain_datasets

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.hdf5.scanner import Scanner
from weightkit.access.hdf5.writing.rebuild import Rebuild
from weightkit.access.store import Destination
from weightkit.errors import MachineError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NOTHING = Changes(dropped=frozenset({"what is not there"}))
"""Changes that change nothing, so that a file is rebuilt and must stay the same."""


def rebuild(path: Path, output: Path, changes: Changes = NOTHING) -> Any:
    with open_weights(path, editable=True) as store, store.editing([], Destination(output), changes):
        pass
    return output


def chunked(path: Path, **options: Any) -> Any:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", data=np.arange(600.0), chunks=(100,), **options)
        file["layers/a/vars/1"] = KERNEL
    return path


def spoiling(monkeypatch: pytest.MonkeyPatch, change: Callable[[h5py.File], None]) -> None:
    """Let a fake builder change the new file before its structure is checked."""
    whole = Rebuild._build

    def spoil(rebuild: Rebuild) -> None:
        whole(rebuild)
        name = f"/proc/self/fd/{rebuild.job.fd}"
        with h5py.File(name, "r+", locking=False) as file:
            change(file)
        rebuild._length = os.fstat(rebuild.job.fd).st_size

    monkeypatch.setattr(Rebuild, "_build", spoil)


def lose_dataset(file: h5py.File) -> None:
    del file["layers/a/vars/0"]


def lose_group(file: h5py.File) -> None:
    del file["layers/b"]


def lose_attribute(file: h5py.File) -> None:
    del file["layers/a"].attrs["note"]


def lose_attribute_of_dataset(file: h5py.File) -> None:
    del file["layers/a/vars/0"].attrs["note"]


def change_attribute(file: h5py.File) -> None:
    file["layers/a"].attrs.modify("note", 6)


def change_structure_attribute(file: h5py.File) -> None:
    file["layers/a"].attrs.modify("structure", np.array((1, 2), [("a", "i4"), ("b", "i4")]))


def change_text(file: h5py.File) -> None:
    file["layers/a"].attrs["text"] = "b"


def change_set_attribute(file: h5py.File) -> None:
    file.attrs["set"] = "b"


def add_attribute(file: h5py.File) -> None:
    file.attrs["more"] = 1


def replace_with(file: h5py.File, **options: Any) -> None:
    note = file["layers/a/vars/0"].attrs["note"]
    del file["layers/a/vars/0"]
    given = {"shape": (30, 4), "dtype": "f4", "chunks": (3, 4), "compression": 4, "maxshape": (None, 4)} | options
    file.create_dataset("layers/a/vars/0", **given).attrs["note"] = note


def change_shape(file: h5py.File) -> None:
    replace_with(file, shape=(29, 4))


def change_type(file: h5py.File) -> None:
    replace_with(file, dtype="f8")


def change_chunks(file: h5py.File) -> None:
    replace_with(file, chunks=(4, 4))


def change_level(file: h5py.File) -> None:
    replace_with(file, compression=5)


def lose_filter(file: h5py.File) -> None:
    replace_with(file, compression=None)


def lose_room_to_grow(file: h5py.File) -> None:
    replace_with(file, maxshape=(60, 4))


def change_fill(file: h5py.File) -> None:
    replace_with(file, fillvalue=3)


def change_layout(file: h5py.File) -> None:
    del file["layers/b/vars/0"]
    file.create_dataset("layers/b/vars/0", data=KERNEL, chunks=(3, 4))


def part_links(file: h5py.File) -> None:
    values = file["linked"][()]
    del file["linked"]
    file["linked"] = values


def lose_order(file: h5py.File) -> None:
    del file["tracked"]
    file.create_group("tracked")


def add_object(file: h5py.File) -> None:
    file.create_group("more")


SPOILERS = [
    lose_dataset, lose_group, lose_attribute, lose_attribute_of_dataset, change_attribute, change_structure_attribute,
    change_text, change_set_attribute, add_attribute, change_shape, change_type, change_chunks, change_level,
    lose_filter, lose_room_to_grow, change_fill, change_layout, part_links, lose_order, add_object,
]  # fmt: skip


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_new_file_that_came_out_otherwise_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiler: Callable[[h5py.File], None]
) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", (30, 4), "f4", chunks=(3, 4), compression=4, maxshape=(None, 4)).attrs[
            "note"
        ] = 1
        file["layers/b/vars/0"] = KERNEL
        file["linked"] = file["layers/b/vars/0"]
        file.create_group("tracked", track_order=True)
        file["layers/a"].attrs["note"] = 5
        file["layers/a"].attrs["text"] = "a"
        file["layers/a"].attrs["structure"] = np.array((1, 1), [("a", "i4"), ("b", "i4")])
    before = Folder.of(tmp_path)
    spoiling(monkeypatch, spoiler)
    with pytest.raises(MachineError, match="the new file's structure differs from the plan"):
        rebuild(path, tmp_path / "out", Changes(attributes={"": {"set": "a"}}))
    assert Folder.of(tmp_path) == before


def test_the_structure_is_checked_once_more_after_chunks_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = chunked(tmp_path / "model.h5")
    before = Folder.of(tmp_path)
    whole = Rebuild._fill

    def spoil(rebuild: Rebuild, pieces: Any) -> None:
        whole(rebuild, pieces)
        with h5py.File(f"/proc/self/fd/{rebuild.job.fd}", "r+", locking=False) as file:
            file.create_group("more")
        rebuild._length = os.fstat(rebuild.job.fd).st_size

    monkeypatch.setattr(Rebuild, "_fill", spoil)
    with pytest.raises(MachineError, match="the new file's structure differs from the plan, at more"):
        halve(path)
    assert Folder.of(tmp_path) == before


@pytest.mark.own_process
@pytest.mark.parametrize("verb", ["build", "fill"])
@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_while_it_writes_ends_the_edit_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, fatal: signal.Signals
) -> None:
    path = chunked(tmp_path / "model.h5")
    before = Folder.of(tmp_path)
    whole = Scanner.ask

    def dying(scanner: Scanner, request: Any, *descriptors: int, **more: Any) -> Any:
        if request["do"] == verb:
            os.kill(scanner._process.pid, fatal)
        return whole(scanner, request, *descriptors, **more)

    monkeypatch.setattr(Scanner, "ask", dying)
    with pytest.raises(MachineError, match=r"crashed .* while it wrote the new file; nothing was changed"):
        halve(path)
    assert Folder.of(tmp_path) == before


@pytest.mark.own_process
def test_a_disk_that_fails_the_reading_process_is_the_machine_s_fault_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = chunked(tmp_path / "model.h5")
    before = Folder.of(tmp_path)
    monkeypatch.setattr(Rebuild, "_limit", lambda _: 1000)
    with pytest.raises(MachineError, match="writing the new file failed: File too large — make room"):
        rebuild(path, tmp_path / "out")
    assert Folder.of(tmp_path) == before


def test_an_answer_that_was_not_read_to_its_end_is_never_taken_for_another(tmp_path: Path) -> None:
    path = chunked(tmp_path / "model.h5")
    with Scanner() as scanner, path.open("rb") as source:
        stream = scanner.records(source.fileno(), 0, path.stat().st_size)
        next(stream)
        with pytest.raises(RefusedError):
            list(scanner.records(source.fileno(), 0, path.stat().st_size))


def test_a_store_goes_on_reading_after_an_edit_was_refused(tmp_path: Path) -> None:
    path = chunked(tmp_path / "model.h5", compression=4)
    with open_weights(path, editable=True) as store:
        refs = list(store)
        with pytest.raises(ZeroDivisionError), store.editing(refs):
            raise ZeroDivisionError
        assert store.read(refs[0]).tolist() == np.arange(600.0).tolist()
        with store.editing(refs) as sink:
            for ref in refs:
                sink.write(ref, store.read(ref))
    assert plain_datasets(path)["layers/a/vars/0"].tolist() == np.arange(600.0).tolist()
