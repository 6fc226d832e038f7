"""What the reading process says about a file, compared with plain h5py; and everything that it refuses."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, REAL, Folder, plain_hdf5, write_variables

from tests.hostile.corpus import plant_victims
from tests.hostile.reasons import SCANNED, cases_of
from weightkit import open_weights
from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5.child import refusal, scan, stored_values
from weightkit.access.hdf5.child.file_part import Part
from weightkit.access.hdf5.index import Index
from weightkit.access.hdf5.limits import Limits
from weightkit.access.hdf5.scanner import Scanner
from weightkit.errors import DamagedFileError, RefusedError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.hostile.case import Case

FILES = pytest.mark.parametrize("path", [*GOLDEN, *REAL], ids=lambda path: path.name)


def hdf5_part(path: Path) -> Any:
    """Where the HDF5 file starts in a file, and its length, found without weightkit."""
    raw = path.read_bytes()
    if not zipfile.is_zipfile(path):
        return raw, 0, len(raw)
    with zipfile.ZipFile(path) as archive:
        member = archive.read("model.weights.h5")
    assert raw.count(member) == 1
    return raw, raw.index(member), len(member)


def records(scanner: Scanner, path: Path, start: int = 0, length: int | None = None) -> Any:
    with OpenFile(path) as source:
        return list(scanner.records(source.fd, start, source.size if length is None else length))


def indexed(scanner: Scanner, path: Path) -> Any:
    _, start, length = hdf5_part(path)
    return Index.of(records(scanner, path, start, length), length)


def plain_text(value: Any) -> Any:
    if isinstance(value, h5py.Empty):
        return () if value.dtype.kind in "SO" else None
    values = np.asarray(value)
    if values.dtype.kind not in "SOU":
        return None
    texts = [item if isinstance(item, str) else item.decode() for item in values.reshape(-1)]
    return tuple(texts) if values.ndim else texts[0]


def plain_attributes(thing: Any) -> Any:
    return {name: plain_text(thing.attrs[name]) for name in thing.attrs}


@FILES
def test_the_index_is_what_plain_h5py_says_of_a_keras_file(scanner: Scanner, path: Path) -> None:
    groups, datasets = {}, {}

    def keep(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            place = (thing.shape, thing.dtype.str, thing.id.get_offset(), thing.id.get_storage_size())
            datasets[name] = (*place, plain_attributes(thing))
        else:
            groups[name] = plain_attributes(thing)

    with plain_hdf5(path) as file:
        keep("", file)
        file.visititems(keep)
    index = indexed(scanner, path)
    assert {name: index.attributes(name) for name in index.groups} == groups
    assert {
        name: (
            found.shape,
            np.dtype(found.dtype).str,
            found.offset,
            found.size,
            {attribute.name: attribute.text for attribute in found.attributes},
        )
        for name, found in index.datasets.items()
    } == datasets
    assert not index.aliases


@FILES
def test_the_bytes_at_the_offsets_are_the_values_that_h5py_reads(scanner: Scanner, path: Path) -> None:
    raw, start, _ = hdf5_part(path)
    index = indexed(scanner, path)
    with plain_hdf5(path) as file:
        for name, found in index.datasets.items():
            values = file[name][()]
            if values.size:
                assert raw[start + found.offset :][: found.size] == values.tobytes(), name


@FILES
def test_every_dataset_of_a_keras_file_is_one_weight_with_an_address_of_its_own(path: Path) -> None:
    with open_weights(path) as store, plain_hdf5(path) as file:
        structures = [ref.structure for ref in store]
        names = []
        file.visititems(lambda name, thing: names.append(name) if isinstance(thing, h5py.Dataset) else None)
    assert len(structures) == len(set(structures)) == len(names)


@pytest.mark.parametrize("size", [512, 4096])
def test_a_user_block_moves_addresses_and_offsets_alike(scanner: Scanner, tmp_path: Path, size: int) -> None:
    values = np.arange(5, dtype="f4")
    path = write_variables(tmp_path / "block.h5", {"layers/a/vars/0": values}, userblock_size=size)
    with h5py.File(path) as file:
        address = h5py.h5o.get_info(file["layers/a/vars/0"].id).addr
    found = indexed(scanner, path).datasets["layers/a/vars/0"]
    assert found.address == size + address
    assert path.read_bytes()[found.offset :][: found.size] == values.tobytes()
    with open_weights(path) as store:
        assert [store.read(ref).tolist() for ref in store] == [values.tolist()]


@pytest.mark.parametrize("size", [0, 512])
def test_values_that_would_lie_over_a_group_are_refused_with_and_without_a_user_block(
    scanner: Scanner, tmp_path: Path, size: int
) -> None:
    path = write_variables(tmp_path / "over.h5", {"a": np.arange(5, dtype="f4")}, userblock_size=size)
    with h5py.File(path) as file:
        offset = file["a"].id.get_offset() - size
        root = h5py.h5o.get_info(file.id).addr
    raw, length = path.read_bytes(), (20).to_bytes(8, "little")
    layout = offset.to_bytes(8, "little") + length
    assert raw.count(layout) == 1
    path.write_bytes(raw.replace(layout, (root - 4).to_bytes(8, "little") + length))
    with pytest.raises(DamagedFileError, match=r"a and the header of / overlap|/ and a overlap"):
        indexed(scanner, path)


@pytest.mark.parametrize(("case", "error", "reason"), cases_of(SCANNED), ids=SCANNED)
def test_what_is_not_plain_data_is_refused_with_its_reason_and_reaches_no_other_file(  # noqa: PLR0917  # fixtures
    scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case, error: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    plant_victims(tmp_path)
    before = Folder.of(tmp_path)
    case.make(tmp_path / case.file)
    with pytest.raises(RefusedError, match=reason) as caught:
        records(scanner, tmp_path / case.file)
    assert type(caught.value).__name__ == error
    (tmp_path / case.file).unlink()
    assert Folder.of(tmp_path) == before


def test_sixty_four_levels_of_groups_are_read(scanner: Scanner, tmp_path: Path) -> None:
    path = tmp_path / "deep.h5"
    with h5py.File(path, "w") as file:
        file.create_group("/".join("g" * 64))["x"] = 1.0
    assert len(indexed(scanner, path).groups) == 65


def test_a_group_with_two_names_is_read_once_even_where_paths_to_it_double_at_each_level(
    scanner: Scanner, tmp_path: Path
) -> None:
    path = tmp_path / "diamonds.h5"
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(40):
            below = group.create_group("left")
            group["right"] = below
            group = below
        group["x"] = np.float32(1)
    index = indexed(scanner, path)
    assert len(index.groups) == 41
    assert len(index.aliases) == 40
    assert len(index.datasets) == 1


def test_objects_attributes_and_replies_past_their_limits_are_refused(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "many.h5", {str(number): np.zeros(1) for number in range(20)})
    with h5py.File(path, "r+") as file:
        file["3"].attrs["long"] = "x" * 3000
    for limits, reason in [
        (Limits(objects=20), "more than 20 objects"),
        (Limits(attribute=2999), "its attribute long has more than 2999 bytes"),
        (Limits(reply=1000), "its description takes more than 1000 bytes"),
    ]:
        with Scanner(limits) as own, pytest.raises(UnsafeFileError, match=reason):
            records(own, path)
    with Scanner(Limits(objects=21, attribute=3000)) as own:
        assert len(records(own, path)) == 21


def test_two_links_to_one_dataset_are_one_weight_and_still_two_links_after_an_edit(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "linked.h5", {"layers/a/vars/0": np.arange(4, dtype="f4")})
    with h5py.File(path, "r+") as file:
        file["layers/a/vars/1"] = file["layers/a/vars/0"]
    with open_weights(path, editable=True) as store:
        (ref,) = store
        with store.editing([ref]) as sink:
            sink.write(ref, store.read(ref) + np.float32(1))
    with h5py.File(path) as file:
        first, second = file["layers/a/vars/0"], file["layers/a/vars/1"]
        assert first == second
        assert second[()].tolist() == [1, 2, 3, 4]


def test_what_is_no_plain_number_is_listed_and_has_no_type_of_numbers(scanner: Scanner, tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["text"] = "words"
        file["fixed"] = np.array([b"ab", b"c"])
        file["compound"] = np.zeros(3, [("a", "f4"), ("b", "i8")])
        file["ragged"] = h5py.Empty("f4")
        file["complex"] = np.zeros(2, "c8")
        file["opaque"] = np.zeros(2, "V5")
        file["enumeration"] = np.zeros(2, h5py.enum_dtype({"A": 0, "B": 7}, "i1"))
        file.create_dataset("half words", (2,), h5py.vlen_dtype(np.int32))
        file["truth"] = np.array([True, False])
        file["big"] = np.arange(3, dtype=">i4")
        file["tiny"] = np.arange(3, dtype="i1")
    found = {name: dataset.numpy_dtype for name, dataset in indexed(scanner, path).datasets.items()}
    plain = {"ragged": "<f4", "truth": "|b1", "big": ">i4", "tiny": "i1"}
    assert found == dict.fromkeys(found, None) | {name: np.dtype(code) for name, code in plain.items()}
    assert len(found) == 11


def test_two_opaque_bytes_are_bfloat16_unless_an_attribute_says_otherwise(scanner: Scanner, tmp_path: Path) -> None:
    path = write_variables(tmp_path / "two.h5", {name: np.zeros(2, "V2") for name in "abc"})
    with h5py.File(path, "r+") as file:
        file["b"].attrs["dtype"] = "bfloat16"
        file["c"].attrs["dtype"] = "float8_e5m2"
    found = indexed(scanner, path).datasets
    assert [str(found[name].numpy_dtype) for name in "abc"] == ["bfloat16", "bfloat16", "None"]


@pytest.mark.parametrize(
    "name", [b"a\x1b[31m\n\x07", b"\xff\xfe\x80", "\u202eevil".encode(), b"..", b" ", b"long" * 1_000]
)
def test_a_strange_name_is_kept_byte_for_byte(scanner: Scanner, tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "strange.h5"
    with h5py.File(path, "w") as file:
        group = h5py.h5g.create(file.id, name)
        h5py.h5d.create(group, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2,))).write(
            h5py.h5s.ALL, h5py.h5s.ALL, np.ones(2, "f4")
        )
        attribute = h5py.h5a.create(group, b"note", h5py.h5t.C_S1, h5py.h5s.create(h5py.h5s.SCALAR))
        attribute.write(np.array(b"t", "S1"))
    index = indexed(scanner, path)
    assert [text.encode("utf-8", "surrogateescape") for text in index.groups] == [b"", name]
    assert [text.encode("utf-8", "surrogateescape") for text in index.datasets] == [name + b"/x"]


def test_an_attribute_is_known_by_type_shape_and_value_also_where_it_is_no_text(
    scanner: Scanner, tmp_path: Path
) -> None:
    path = tmp_path / "attributes.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("g")
        values = [1, 2, np.int32(1), [1], [[1]], 1.0, "1", b"1", ["1"], np.array([b"1"]), True, h5py.Empty("f4"), "2"]
        for number, value in enumerate(values):
            group.attrs[f"{number:02}"] = value
    found = indexed(scanner, path).groups["g"].attributes
    assert [attribute.name for attribute in found] == [f"{number:02}" for number in range(len(values))]
    digests = {attribute.digest for attribute in found}
    assert len(digests) >= len(values) - 3  # text of fixed and of variable length may count as one type


@pytest.mark.parametrize("block", [0, 512])
def test_places_of_chunks_are_counted_from_the_start_of_the_file_whatever_the_library_says(
    tmp_path: Path, block: int
) -> None:
    path = tmp_path / "chunked.h5"
    values = np.arange(6, dtype="f4")
    with h5py.File(path, "w", userblock_size=block) as file:
        file.create_dataset("d", data=values, chunks=(3,))
    with path.open("rb") as source, h5py.File(path) as file:
        dataset, part = file["d"].id, Part(source.fileno(), 0, path.stat().st_size)
        found = stored_values.stored_chunks(dataset)
        assert [path.read_bytes()[info.byte_offset :][: info.size] for info in found] == [
            values[:3].tobytes(),
            values[3:].tobytes(),
        ]
        assert stored_values.shift_of(file.id, dataset, found[0], part) == 0
        from_block = [info._replace(byte_offset=info.byte_offset - block) for info in found]
        assert stored_values.shift_of(file.id, dataset, from_block[0], part) == block
        elsewhere = [info._replace(byte_offset=info.byte_offset + 4) for info in found]
        if block:  # without one, there is only one way to count
            with pytest.raises(refusal.Refusal, match="are not where the file says"):
                stored_values.shift_of(file.id, dataset, elsewhere[0], part)


@pytest.mark.parametrize(("options", "shape"), [({"shuffle": True}, (6,)), ({"shuffle": True, "compression": 1}, (5,))])
def test_chunks_of_which_nothing_tells_whether_they_are_shuffled_are_refused(
    tmp_path: Path, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    for libver, length in ((None, (5,)), ("latest", shape)):
        path = tmp_path / f"{libver}.h5"
        with h5py.File(path, "w", libver=libver) as file:
            file.create_dataset("layers/a/vars/0", data=np.arange(length[0]), chunks=(2,), **options)
        with open_weights(path) as store:
            assert store.read(next(iter(store))).tolist() == list(range(length[0]))
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("layers/a/vars/0", data=np.arange(5), chunks=(2,), shuffle=True)
    with open_weights(path) as store, pytest.raises(UnsupportedFileError, match="are shuffled and not compressed"):
        store.read(next(iter(store)))


def test_a_list_that_repeats_one_long_text_is_refused_before_it_is_sent(scanner: Scanner, tmp_path: Path) -> None:
    """An element of variable length is 16 bytes that say where its text is: here all of them say the same."""
    path, long, count = tmp_path / "m.h5", 4096, 3000
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["x" * long, *["y"] * (count - 1)]
    content = path.read_bytes()
    place = next(
        place
        for place in range(len(content) - 32)
        if content[place : place + 4] == long.to_bytes(4, "little") and content[place + 16 : place + 20] == b"\1\0\0\0"
    )
    path.write_bytes(content[:place] + content[place : place + 16] * count + content[place + 16 * count :])
    with h5py.File(path) as file:
        assert list(file.attrs["layer_names"]) == ["x" * long] * count
    with pytest.raises(UnsafeFileError, match="longer than the file"):
        records(scanner, path)
    path.write_bytes(content)
    assert len(records(scanner, path)) == 1


def test_a_file_that_was_cut_off_says_how_much_of_it_is_there(scanner: Scanner, tmp_path: Path) -> None:
    whole = write_variables(tmp_path / "model.h5", {"layers/a/vars/0": np.zeros(999, "f4")}).read_bytes()
    (tmp_path / "model.h5").write_bytes(whole[:-500])
    with pytest.raises(DamagedFileError, match=f"it must have {len(whole)} bytes, got {len(whole) - 500}"):
        records(scanner, tmp_path / "model.h5")


@pytest.mark.parametrize("keep", [0, 8, 100, 800, -1])
def test_a_truncated_file_is_damaged(scanner: Scanner, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.h5"
    path.write_bytes(GOLDEN[0].read_bytes()[:keep])
    with pytest.raises(DamagedFileError):
        records(scanner, path)


@FILES
def test_a_part_of_a_file_is_read_as_the_whole_file_is(tmp_path: Path, path: Path) -> None:
    raw, start, length = hdf5_part(path)
    (tmp_path / "whole").write_bytes(raw[start : start + length])
    (tmp_path / "part").write_bytes(b"before" + raw[start : start + length] + b"after")
    limits = dataclasses.asdict(Limits())
    with (tmp_path / "whole").open("rb") as whole, (tmp_path / "part").open("rb") as part:
        expected = list(scan.scan(whole.fileno(), 0, length, limits))
        assert list(scan.scan(part.fileno(), 6, length, limits)) == expected
    assert len(expected) > 1


def test_a_file_is_read_by_its_descriptor_whatever_bears_its_name_by_now(scanner: Scanner, tmp_path: Path) -> None:
    write_variables(tmp_path / "model.h5", {"layers/a/vars/0": np.zeros(3, "f4")})
    write_variables(tmp_path / "other.h5", {"layers/other/vars/0": np.zeros(3, "f4")})
    with OpenFile(tmp_path / "model.h5") as source:
        (tmp_path / "other.h5").rename(tmp_path / "model.h5")
        paths = [record["path"] for record in scanner.records(source.fd, 0, source.size)]
    assert "layers/a/vars/0" in paths
    assert "layers/other" not in paths


def test_the_reading_process_sees_nothing_outside_the_part_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"secret" + b"inside" + b"secret")
    descriptor = os.open(path, os.O_RDONLY)
    part = Part(descriptor, 6, 6)
    assert part.seek(0, os.SEEK_END) == 6
    part.seek(-2, os.SEEK_CUR)
    assert part.read(8) == b"de" + bytes(6)
    assert part.seek(2) == part.tell() == 2
    assert part.read(3) == b"sid"
    part.seek(100)
    assert part.read(4) == bytes(4)
    os.truncate(path, 8)
    part.seek(0)
    assert part.read(6) == b"in" + bytes(4)
    os.close(descriptor)
