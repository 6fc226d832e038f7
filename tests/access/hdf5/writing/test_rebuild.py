"""A file that is rebuilt is the same to plain h5py, in everything that it can see."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, REAL

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.hdf5 import file_store
from weightkit.access.hdf5.writing.placed_sink import PlacedSink
from weightkit.access.hdf5.writing.target_index import planned
from weightkit.access.store import Destination
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from weightkit.access.hdf5.index import Index

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NOTHING = Changes(dropped=frozenset({"what is not there"}))
"""Changes that change nothing, so that a file is rebuilt and must stay the same."""


def rebuild(path: Path, output: Path, changes: Changes = NOTHING) -> Any:
    with open_weights(path, editable=True) as store, store.editing([], Destination(output), changes):
        pass
    return output


class Portrait:
    """Everything in a file that plain h5py can see, in the order in which the file keeps it."""

    def __init__(self, path: Path) -> None:
        self.things: list[Any] = []
        self.met: dict[int, str] = {}
        with h5py.File(path) as file:
            creation = file.id.get_create_plist()
            self.things.append((creation.get_userblock(), creation.get_link_creation_order()))
            self.look("", file)

    def look(self, path: str, thing: Any) -> None:
        address = h5py.h5o.get_info(thing.id).addr
        if address in self.met:
            self.things.append((path, "same as", self.met[address]))
            return
        self.met[address] = path
        creation = thing.id.get_create_plist()
        order = creation.get_attr_creation_order()
        self.things.append((path, order, *map(self.attribute, self.attributes(thing))))
        if isinstance(thing, h5py.Dataset):
            self.things.append(self.dataset(thing))
            return
        self.things.append(creation.get_link_creation_order())
        for name in thing:  # in the order of creation, where the group keeps it
            encoding = thing.id.links.get_info(thing._e(name)).cset
            self.things.append((name, encoding))
            self.look(f"{path}/{name}", thing[name])

    def attributes(self, thing: Any) -> Any:
        return [h5py.h5a.open(thing.id, thing._e(name)) for name in thing.attrs]

    def attribute(self, attribute: Any) -> Any:
        kind, space = attribute.get_type(), attribute.get_space()
        simple = space.get_simple_extent_type(), space.shape if space.get_simple_extent_type() else ()
        return attribute.name, self.kind(kind), simple, self.raw(attribute, kind, space)

    def kind(self, kind: Any) -> Any:
        details: list[Any] = [kind.get_class(), kind.get_size()]
        match kind.get_class():
            case h5py.h5t.STRING:
                details += [kind.is_variable_str(), kind.get_cset(), kind.get_strpad()]
            case h5py.h5t.COMPOUND | h5py.h5t.ENUM:
                details += [kind.get_member_name(number) for number in range(kind.get_nmembers())]
            case h5py.h5t.OPAQUE:
                details.append(kind.get_tag())
            case h5py.h5t.INTEGER | h5py.h5t.FLOAT:
                details.append(kind.get_order())
        return details

    def raw(self, thing: Any, kind: Any, space: Any) -> Any:
        if not space.get_simple_extent_npoints():
            return None
        if kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
            values = np.empty(space.shape, h5py.string_dtype())
            self.read(thing, values, None)
            return values.tolist()
        values = np.empty(space.shape, f"V{kind.get_size()}")
        self.read(thing, values, kind)
        return values.tobytes()

    def read(self, thing: Any, values: Any, kind: Any) -> None:
        if isinstance(thing, h5py.h5d.DatasetID):
            thing.read(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=kind)
        else:
            thing.read(values, mtype=kind)

    def dataset(self, dataset: Any) -> Any:
        creation, kind = dataset.id.get_create_plist(), dataset.id.get_type()
        fill = creation.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED
        steps = [creation.get_filter(number) for number in range(creation.get_nfilters())]
        chunks = {}
        if dataset.chunks:
            infos = [dataset.id.get_chunk_info(number) for number in range(dataset.id.get_num_chunks())]
            chunks = {i.chunk_offset: (i.filter_mask, dataset.id.read_direct_chunk(i.chunk_offset)) for i in infos}
        held = not chunks or not steps
        return (
            self.kind(kind),
            creation.get_layout(),
            dataset.shape,
            dataset.maxshape,
            dataset.chunks,
            steps,
            dataset.fillvalue if fill else None,
            (dataset.id.get_offset() is None) if creation.get_layout() == h5py.h5d.CONTIGUOUS else None,
            chunks if kind.get_class() != h5py.h5t.STRING or not kind.is_variable_str() else set(chunks),
            self.raw(dataset.id, kind, dataset.id.get_space()) if held and dataset.shape is not None else None,
        )


def portrait(path: Path) -> Any:
    return Portrait(path).things


def everything(file: h5py.File) -> None:
    """Objects of every type that can be copied, not sorted by name."""
    group = file.create_group("layers/z", track_order=True)
    group["vars/0"] = KERNEL
    group.create_dataset("vars/chunked", data=np.arange(70.0).reshape(10, 7), chunks=(4, 3))
    group.create_dataset(
        "vars/packed", data=np.arange(70, dtype=">f4"), chunks=(9,), compression=7, shuffle=True, fletcher32=True
    )
    group.create_dataset("vars/grows", data=KERNEL, maxshape=(None, 4), chunks=(2, 4), fillvalue=7.5)
    sparse = group.create_dataset("vars/sparse", (100, 100), ">i2", chunks=(9, 9), fillvalue=-3)
    sparse[50:60, 50:60] = 1
    group.create_dataset("vars/unwritten", (4, 4), "f4", fillvalue=2)
    group.create_dataset("vars/unwritten chunks", (40, 4), "f4", chunks=(5, 4), compression="gzip")
    group.create_dataset("vars/masked", (8,), "f4", chunks=(4,), shuffle=True, compression=4)
    group["vars/masked"].id.write_direct_chunk((4,), np.ones(4, "f4").tobytes(), 3)
    odd = file.create_group("b a second")
    odd["text"] = "words"
    odd["texts"] = ["a", "", "longer than a heap's first block " * 300]
    odd.create_dataset("chunked texts", data=["p", "q", "r"], chunks=(2,))
    odd.create_dataset("filled fixed", (5,), "S3", chunks=(2,), fillvalue=b"abc")[0:2] = b"x"
    odd.create_dataset("filled truth", (5,), "?", chunks=(2,), fillvalue=True)[0:2] = False
    odd.create_dataset("unwritten texts", (3,), h5py.string_dtype())
    odd["fixed"] = np.array([b"ab", b"c"])
    odd["compound"] = np.array([(1, 2.5, b"x")] * 3, [("a", "i4"), ("b", "f8"), ("c", "S3")])
    array = h5py.h5t.array_create(h5py.h5t.IEEE_F32LE, (3,))
    made = h5py.h5d.create(odd.id, b"array", array, h5py.h5s.create_simple((2,)))
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(6, dtype="f4").view("V12"), mtype=array)
    odd["enumeration"] = np.array([0, 7], h5py.enum_dtype({"A": 0, "B": 7}, "i1"))
    odd["truth"] = np.array([True, False])
    odd["opaque"] = np.frombuffer(b"abcdefghij", "V5")
    odd["bfloat"] = np.frombuffer(b"abcdef", "V2")
    odd["complex"] = np.array([1 + 2j])
    odd["scalar"] = np.float64(3)
    odd["empty"] = np.zeros((0, 5), "f4")
    odd["null"] = h5py.Empty("f4")
    odd.create_group("nothing in it")
    group["vars/again"] = group["vars/0"]
    file["zz also here"] = group["vars"]
    file["aa"] = odd["compound"]


def attributes(file: h5py.File) -> None:
    """Attributes of every type that can be copied, on the root, a group and a dataset."""
    file["layers/z/vars/0"] = KERNEL
    file.create_group("tracked", track_order=True)
    for thing in (file, file["layers"], file["layers/z/vars/0"], file["tracked"]):
        values = {
            "zz text": "ünï",
            "bytes": b"fixed",
            "aa list": ["a", "bc", ""],
            "fixed list": np.array([b"a", b"bcd"]),
            "number": 5,
            "big": np.arange(3, dtype=">f8"),
            "truth": True,
            "truths": np.array([True, False]),
            "none": h5py.Empty("f4"),
            "no text": h5py.Empty("S4"),
            "nothing": np.zeros((0, 3)),
            "empty list": np.array([], "f8"),
            "compound": np.array((1, 2.5), [("a", "i4"), ("b", "f8")]),
            "table": np.ones((2, 3), "u1"),
            "complex": 1 + 2j,
            "opaque": np.void(b"\0raw\0"),
        }
        for name, value in values.items():
            thing.attrs[name] = value
        array = h5py.h5t.array_create(h5py.h5t.IEEE_F32LE, (2, 3))
        made = h5py.h5a.create(thing.id, b"array", array, h5py.h5s.create(h5py.h5s.SCALAR))
        made.write(np.arange(6, dtype="f4").reshape(2, 3), mtype=array)
        thing.attrs.create("enum", 7, dtype=h5py.enum_dtype({"A": 0, "B": 7}, "i1"))
        thing.attrs.create("padded", b"x", dtype="S9")


def names(file: h5py.File) -> None:
    """Names that are not ASCII, or no text at all."""
    file["layers/ü/vars/0"] = KERNEL
    for name in (b"\xff\xfe", b"a\nb", b" ", b"x" * 3000):
        h5py.h5g.create(file.id, name)
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_char_encoding(h5py.h5t.CSET_ASCII)
    h5py.h5g.create(file.id, b"plain", lcpl=link)


def many(file: h5py.File) -> None:
    """Enough links and attributes for dense storage, and more than one node of every tree."""
    for number in range(300):
        file[f"layers/a{number % 7}/vars/{number}"] = np.full(3, number, "f4")
    for number in range(40):
        file.attrs[f"note {number}"] = number
    file.create_dataset("layers/a0/vars/many", data=np.arange(5000.0), chunks=(4,), maxshape=(None,))
    file.create_dataset("layers/a0/vars/both", data=np.ones((60, 60)), chunks=(3, 3), maxshape=(None, None))
    file.create_dataset("layers/a0/vars/one", data=np.ones((6, 6)), chunks=(6, 6), compression="gzip")


MAKES = [everything, attributes, names, many]
OPTIONS = [
    {},
    {"libver": "latest"},
    {"libver": ("v108", "v108")},
    {"track_order": True},
    {"userblock_size": 1024},
    {"libver": "latest", "userblock_size": 512, "track_order": True},
    {"libver": "latest", "fs_strategy": "page", "fs_persist": True, "fs_page_size": 4096},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)) or "plain")
@pytest.mark.parametrize("make", MAKES)
def test_a_file_built_anew_without_changes_is_the_same_to_plain_h5py(
    tmp_path: Path, make: Callable[[h5py.File], None], options: dict[str, Any]
) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w", **options) as file:
        make(file)
    block = options.get("userblock_size", 0)
    if block:
        with path.open("r+b") as raw:
            raw.write(b"#!/usr/bin/env block\n" + bytes(range(200)))
    before = path.read_bytes()
    output = rebuild(path, tmp_path / "out")
    assert portrait(output) == portrait(path)
    assert output.read_bytes()[:block] == before[:block]
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", [path for path in (*GOLDEN, *REAL) if path.suffix != ".keras"], ids=lambda p: p.name)
def test_a_keras_file_built_anew_without_changes_is_the_same_to_plain_h5py(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    assert portrait(rebuild(copy, tmp_path / "out")) == portrait(path)


def test_an_attribute_over_64_kib_is_carried_where_the_file_can_hold_one(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["layers/a/vars/0"] = KERNEL
        file.attrs["large"] = np.arange(100_000, dtype="u1")
        file["layers/a"].attrs["long"] = "x" * 100_000
    assert portrait(rebuild(path, tmp_path / "out")) == portrait(path)


def test_the_structure_is_checked_once_more_after_the_last_value_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a value went to a wrong place, it may lie over the file's own tables."""
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["layers/a/vars/0"] = KERNEL
        file["layers/a"].attrs["name"] = np.bytes_(b"as it was")
    whole = PlacedSink.require_complete

    def spoil(sink: PlacedSink) -> None:
        whole(sink)
        [place] = sink._places.values()
        size = os.fstat(place.fd).st_size
        os.pwrite(place.fd, b"as it is!", os.pread(place.fd, size, 0).index(b"as it was"))

    monkeypatch.setattr(PlacedSink, "require_complete", spoil)
    with open_weights(path, editable=True) as store:
        [ref] = store
        with (
            pytest.raises(MachineError, match="the new file's structure differs from the plan, at layers/a"),
            store.editing([ref], Destination(tmp_path / "new"), NOTHING) as sink,
        ):
            sink.write(ref, KERNEL)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.h5"]


def test_no_more_bytes_are_copied_than_the_new_place_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["layers/a/vars/0"] = KERNEL
    monkeypatch.setattr(
        file_store, "planned", lambda *given: _with_size(planned(*given), "layers/a/vars/0", KERNEL.nbytes + 4)
    )
    with pytest.raises(AssertionError, match="layers/a/vars/0: 52 bytes for a place of 48"):
        rebuild(path, tmp_path / "new")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.h5"]


def _with_size(index: Index, path: str, size: int) -> Index:
    return dataclasses.replace(
        index, datasets=index.datasets | {path: dataclasses.replace(index.datasets[path], size=size)}
    )


def test_comments_of_objects_are_kept(tmp_path: Path) -> None:
    """Told apart by the bytes of the file: h5py 3.14 cannot read comments."""
    path, words = tmp_path / "model.h5", [b"of the whole file", b"of a group", "of \u00e4 dataset".encode(), b"of text"]
    with h5py.File(path, "w") as file:
        file["layers/a/vars/0"], file["layers/a/vars/note"] = KERNEL, ["text"]
        for name, comment in zip(["/", "layers/a", "layers/a/vars/0", "layers/a/vars/note"], words, strict=True):
            h5py.h5o.set_comment(file[name].id, comment)
    new = rebuild(path, tmp_path / "new.weights.h5")
    assert [path.read_bytes().count(comment + b"\0") for comment in words] == [1, 1, 1, 1]
    assert [new.read_bytes().count(comment + b"\0") for comment in words] == [1, 1, 1, 1]
    with h5py.File(new) as file:
        present = {name: commented(file[name].id) for name in ["/", "layers", "layers/a", "layers/a/vars/0"]}
    assert present == {"/": True, "layers": False, "layers/a": True, "layers/a/vars/0": True}


def commented(thing: Any) -> bool:
    return bool(h5py.h5o.get_info(thing).hdr.mesg.present & 1 << 0x0D)
