"""A weight file as a store: reading by spans, editing whole, every byte outside the change kept."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, REAL, Folder, digest, half, halve, plain_datasets, plain_hdf5, plain_layout, write_variables

from weightkit import open_weights
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.hdf5.scanner import Scanner
from weightkit.access.hdf5.writing.patch import Patch
from weightkit.access.hdf5.writing.placed_sink import PlacedSink
from weightkit.access.store import Destination
from weightkit.errors import DamagedFileError, MachineError, RequestError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from typing import Any

FILES = pytest.mark.parametrize("path", [*GOLDEN, *REAL], ids=lambda path: path.name)
KERNEL = np.arange(12, dtype="f4").reshape(3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Any:
    return write_variables(tmp_path / "model.weights.h5", {"layers/a/vars/0": KERNEL, "layers/b/vars/0": KERNEL + 1})


def copied(path: Path, folder: Path) -> Path:
    """A copy to lock and edit: the files that all tests read are never locked."""
    return Path(shutil.copy(path, folder))


def changed_bytes(first: Path, second: Path) -> Any:
    """Which bytes differ in two files of one size."""
    before, after = (np.fromfile(path, np.uint8) for path in (first, second))
    assert before.size == after.size
    return np.flatnonzero(before != after)


def places_of_numbers(path: Path) -> Any:
    """Which bytes of a file hold floating-point values, or an archive's checksums of them; found without weightkit."""
    raw = path.read_bytes()
    allowed = np.zeros(len(raw), bool)
    start, content = 0, raw
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            content, crc = archive.read("model.weights.h5"), archive.getinfo("model.weights.h5").CRC
        start = raw.index(content)
        place = -1
        while (place := raw.find(crc.to_bytes(4, "little"), place + 1)) >= 0:
            allowed[place : place + 4] = True
    for offset, size in offsets(path):
        allowed[start + offset : start + offset + size] = True
    return allowed


def offsets(path: Path) -> Any:
    found = []

    def keep(_: Path, thing: Any) -> None:
        if (
            isinstance(thing, h5py.Dataset)
            and (thing.dtype.kind == "f" or thing.dtype == np.dtype("V2"))
            and thing.size
        ):
            found.append((thing.id.get_offset(), thing.id.get_storage_size()))

    with plain_hdf5(path) as file:
        file.visititems(keep)
    return found


@FILES
def test_an_edit_changes_the_chosen_values_and_not_one_other_byte(tmp_path: Path, path: Path) -> None:
    path, output = copied(path, tmp_path), tmp_path / "edited"
    before = digest(path)
    halve(path, Destination(output))
    assert digest(path) == before
    allowed = places_of_numbers(path)
    assert allowed[changed_bytes(path, output)].all()
    assert plain_layout(output) == plain_layout(path)
    old, new = plain_datasets(path), plain_datasets(output)
    for name, values in old.items():
        expected = half(values) if is_floating(values.dtype) else values
        assert new[name].tobytes() == expected.tobytes(), name


@FILES
def test_an_edit_of_nothing_gives_the_same_bytes(tmp_path: Path, path: Path) -> None:
    path = copied(path, tmp_path)
    with open_weights(path, editable=True) as store, store.editing([], Destination(tmp_path / "same")):
        pass
    assert digest(tmp_path / "same") == digest(path)


def test_reading_gives_the_whole_weight_in_its_shape_or_a_flat_span_in_c_order(path: Path) -> None:
    with open_weights(path) as store:
        ref, _ = store
        whole = store.read(ref)
        assert whole.shape == (3, 4)
        assert whole.tolist() == KERNEL.tolist()
        flat = KERNEL.reshape(-1)
        for span in (
            slice(0, 12),
            slice(2, 7),
            slice(11, 12),
            slice(5, 5),
            slice(10, 99),
            slice(-2, None),
            slice(7, 3),
        ):
            assert store.read(ref, span).tolist() == flat[span].tolist()


def test_what_was_read_is_the_reader_s_to_change(path: Path) -> None:
    with open_weights(path) as store:
        ref, _ = store
        store.read(ref)[...] = 9
        assert store.read(ref).tolist() == KERNEL.tolist()


@pytest.mark.parametrize("value", [np.float32(3), np.zeros((0, 4), "f4"), np.zeros((2, 0, 3), ">f8")])
def test_scalars_and_empty_weights_are_read_and_edited_as_they_are(tmp_path: Path, value: Any) -> None:
    path = write_variables(tmp_path / "odd.h5", {"layers/a/vars/0": value, "layers/a/vars/1": KERNEL})
    halve(path)
    with open_weights(path) as store:
        first, second = (store.read(ref) for ref in store)
    assert first.shape == np.shape(value)
    assert first.tolist() == (value * np.float32(0.5)).tolist()
    assert second.tolist() == half(KERNEL).tolist()


def test_a_store_opened_for_reading_is_not_edited(path: Path) -> None:
    before = Folder.of(path.parent)
    with (
        open_weights(path) as store,
        pytest.raises(RequestError, match="open for reading only"),
        store.editing(list(store)),
    ):
        pass
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("options", [{"chunks": (1, 1024)}, {"chunks": (1, 1024), "compression": "gzip"}, {}])
def test_a_declared_petabyte_is_refused_at_once(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", (1 << 25, 1 << 23), "f4", **options)
    with pytest.raises(UnsafeFileError, match="declares 1125899906842624 bytes of values that it does not store"):
        open_weights(path)


def test_values_that_were_never_written_are_listed_and_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "unwritten.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", (5, 3), "f4")
        file["layers/a/vars/1"] = KERNEL
    before = Folder.of(tmp_path)
    with open_weights(path, editable=True) as store:
        unwritten, written = store
        with pytest.raises(UnsupportedFileError, match="is declared, but its values were never written"):
            store.read(unwritten)
        with pytest.raises(UnsupportedFileError, match="never written"), store.editing([unwritten]):
            pass
        assert store.read(written).tolist() == KERNEL.tolist()
    assert Folder.of(tmp_path) == before


def test_an_edit_that_writes_too_little_is_not_committed(path: Path) -> None:
    before = Folder.of(path.parent)
    with (
        open_weights(path, editable=True) as store,
        pytest.raises(AssertionError, match="12 elements were not written"),
        store.editing(list(store)) as sink,
    ):
        sink.write(next(iter(store)), KERNEL)
    assert Folder.of(path.parent) == before


def test_a_new_file_whose_structure_came_out_otherwise_is_not_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Folder.of(path.parent)
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file["layers/b"].id).addr
    whole = PlacedSink.require_complete

    def spoil(sink: PlacedSink) -> None:
        whole(sink)
        os.pwrite(next(iter(sink._places.values())).fd, bytes(16), place)

    monkeypatch.setattr(PlacedSink, "require_complete", spoil)
    with pytest.raises((DamagedFileError, AssertionError)):
        halve(path)
    assert Folder.of(path.parent) == before


def test_a_new_file_with_another_attribute_is_not_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(path, "r+") as file:
        file["layers/a"].attrs["name"] = np.bytes_(b"as it was")
    before = Folder.of(path.parent)
    whole = PlacedSink.require_complete

    def spoil(sink: PlacedSink) -> None:
        whole(sink)
        os.pwrite(next(iter(sink._places.values())).fd, b"as it is!", path.read_bytes().index(b"as it was"))

    monkeypatch.setattr(PlacedSink, "require_complete", spoil)
    with pytest.raises(DamagedFileError, match="structure must equal"):
        halve(path)
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize(("what", "old", "new"), [("shape", (3, 4), (4, 3)), ("offset", None, None)])
def test_a_new_file_with_a_dataset_of_another_shape_or_place_is_not_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: str, old: Any, new: Any
) -> None:
    with h5py.File(path) as file:
        dataset = file["layers/a/vars/0"]
        header, offset = h5py.h5o.get_info(dataset.id).addr, dataset.id.get_offset()
    if what == "offset":
        old, new = (offset,), (offset - 4,)
    packed, spoiled = (struct.pack(f"<{len(numbers)}Q", *numbers) for numbers in (old, new))
    place = path.read_bytes().index(packed, header)
    assert place < header + 512
    before = Folder.of(path.parent)
    whole = PlacedSink.require_complete

    def spoil(sink: PlacedSink) -> None:
        whole(sink)
        os.pwrite(next(iter(sink._places.values())).fd, spoiled, place)

    monkeypatch.setattr(PlacedSink, "require_complete", spoil)
    with pytest.raises(DamagedFileError):
        halve(path)
    assert Folder.of(path.parent) == before


def test_the_new_file_is_scanned_once_as_a_whole_and_told_by_a_digest(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = Scanner.ask

    def noted(scanner: Scanner, request: Any, *descriptors: int, on_record: Any = None) -> Any:
        asked.append(request["do"])
        return ask(scanner, request, *descriptors, on_record=on_record)

    monkeypatch.setattr(Scanner, "ask", noted)
    halve(path)
    assert asked == ["scan", "digest"]


def test_a_file_cut_off_while_it_is_copied_ends_the_edit_and_nothing_is_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Patch.begin

    def cut(patch: Patch) -> Any:
        os.truncate(path, path.stat().st_size - 60)
        return whole(patch)

    monkeypatch.setattr(Patch, "begin", cut)
    with open_weights(path, editable=True) as store:
        refs = list(store)
        with pytest.raises(MachineError, match="the file ended at byte"), store.editing(refs[:1]) as sink:
            sink.write(refs[0], store.read(refs[1]))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_store_knows_its_label_format_size_and_number_of_weights(path: Path) -> None:
    with open_weights(path) as store:
        assert store.label == str(path)
        assert store.format == "Keras weights, version 3"
        assert store.nbytes == path.stat().st_size
        assert len(store) == 2


def test_renamed_weights_are_read_from_where_they_were(path: Path) -> None:
    with open_weights(path) as store:
        first, second = store
        with store.renamed({first: second, second: first}) as renamed:
            assert renamed.read(first).tolist() == (KERNEL + 1).tolist()
            assert list(renamed) == [second, first]


def _types() -> dict[str, tuple[Any, str]]:
    """Values of types that are not plain numbers, and how each is called."""
    float24 = h5py.h5t.IEEE_F32LE.copy()
    float24.set_fields(23, 15, 8, 0, 15)
    float24.set_size(3)
    float24.set_precision(24)
    int12 = h5py.h5t.STD_I16LE.copy()
    int12.set_precision(12)
    kinds = {
        "text": h5py.string_dtype(length=4),
        "text of variable length": h5py.string_dtype(),
        "compound": np.dtype([("a", "i4"), ("b", "f8")]),
        "compound with references": np.dtype([("a", "i4"), ("b", h5py.ref_dtype)]),
        "reference": h5py.ref_dtype,
        "enumeration": h5py.enum_dtype({"A": 0, "B": 7}),
        "long double": np.dtype(np.longdouble),
        "complex64": np.dtype("c8"),
        "opaque, 16 bytes": np.dtype("V16"),
        "list of variable length": h5py.vlen_dtype("f4"),
    }
    made = {name: h5py.h5t.py_create(dtype, logical=True) for name, dtype in kinds.items()}
    return made | {"float24": float24, "int12 in 2 bytes": int12}


@pytest.mark.parametrize("chunked", [False, True])
def test_types_that_are_no_plain_numbers_have_their_names_and_are_never_edited(path: Path, chunked: bool) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if chunked:
        creation.set_chunk((2,))
    with h5py.File(path, "r+") as file:
        for name, kind in _types().items():
            space = h5py.h5s.create_simple((3,))
            h5py.h5d.create(file["layers"].id, name.encode(), kind, space, creation)
    before = Folder.of(path.parent)
    with open_weights(path, editable=True) as store:
        others = [ref for ref in store if ref.stored_as]
        assert {ref.structure.partition("/")[2]: ref.dtype_text for ref in others} == {name: name for name in _types()}
        assert all(ref.dtype_text in repr(ref) and "|V" not in repr(ref) for ref in others)
        for ref in others:
            with (
                pytest.raises(UnsupportedFileError, match=rf"{ref.stored_as}, which is not a plain number"),
                store.editing([ref]) as sink,
            ):
                sink.write(ref, np.zeros(3, ref.dtype))
    assert Folder.of(path.parent) == before
