"""Where a file is damaged, it is said which weights are lost, and no word of the library's own code."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from weightkit import open_weights
from weightkit.errors import DamagedFileError, UnsafeFileError

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NAMES = ["input", "conv1", "conv2", "conv3", "conv4", "head"]
WORDS = re.compile(r"[A-Z]\w*(Error|Exception)|[Uu]nable to|[Ii]teration|symbol table|object header")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in NAMES]
        for name in NAMES:
            file[name + "/kernel:0"] = KERNEL
        file["conv2"].attrs["weight_names"] = [b"kernel:0"]
        file["chunked"] = KERNEL
        file.create_dataset("conv1/packed", data=KERNEL, chunks=(1, 4), compression="gzip")
    return path


def spoil(path: Path, *names: str) -> None:
    """Write zeros over the table of a group's links, or over the header of a dataset."""
    with h5py.File(path) as file:
        things = {name: (h5py.h5o.get_info(file[name].id).addr, isinstance(file[name], h5py.Group)) for name in names}
    raw = bytearray(path.read_bytes())
    for address, is_group in things.values():
        if is_group:
            # The first message of an old group's header: where its tree is; the first child of the tree is a table.
            goes_on = raw[address + 16] == 0x10  # the header: elsewhere
            (messages,) = struct.unpack_from("<Q", raw, address + 24) if goes_on else (address,)
            (tree,) = struct.unpack_from("<Q", raw, raw.index(b"\x11\0\x10\0", messages) + 8)
            (table,) = struct.unpack_from("<Q", raw, tree + 32)
            assert raw[table : table + 4] == b"SNOD"
            raw[table : table + 8] = bytes(8)
        else:
            raw[address : address + 8] = bytes(8)
    path.write_bytes(raw)


def refusal(path: Path) -> str:
    with pytest.raises(DamagedFileError) as caught:
        open_weights(path)
    assert not WORDS.search(str(caught.value))
    return str(caught.value.problem)


def test_a_damaged_group_is_named_with_the_weights_that_it_lists(path: Path) -> None:
    spoil(path, "conv2")
    said = "the file is damaged: all weights under conv2 (kernel:0) cannot be read; 7 other weights were found"
    assert refusal(path) == said


def test_a_damaged_root_loses_all_of_them(path: Path) -> None:
    spoil(path, "/")
    listed = ", ".join(NAMES[:5])
    said = f"the file is damaged: all weights under / ({listed}, ...) cannot be read; no other weights were found"
    assert refusal(path) == said


def test_several_damaged_parts_are_named_together(path: Path) -> None:
    spoil(path, "conv1/kernel:0", "chunked")
    said = "the file is damaged: chunked and conv1/kernel:0 cannot be read; 6 other weights were found"
    assert refusal(path) == said
    spoil(path, "conv3", "head/kernel:0", "input/kernel:0")
    parts = "chunked, conv1/kernel:0, all weights under conv3 and 2 more"
    assert refusal(path) == f"the file is damaged: {parts} cannot be read; 3 other weights were found"


def test_a_damaged_tree_of_chunks_is_its_weight_s_damage(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.count(b"TREE\x01") == 1
    path.write_bytes(raw.replace(b"TREE\x01", b"TREX\x01"))
    said = "the file is damaged: conv1/packed cannot be read; 7 other weights were found"
    assert refusal(path) == said


def test_damage_in_many_places_is_not_followed_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for number in range(40):
            file[f"{number:02}"] = KERNEL
    spoil(path, *(f"{number:02}" for number in range(40)))
    assert refusal(path) == "the file is damaged: 00, 01, 02 and at least 18 more cannot be read"


def test_long_names_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        file["w"] = KERNEL
        file.create_group("g").attrs["weight_names"] = [b"x" * 3000 + b"%d" % number for number in range(9)]
        file["g/n"] = KERNEL
        file["d" * 50_000] = KERNEL
    spoil(path, "d" * 50_000)
    assert refusal(path) == f"the file is damaged: {'d' * 600}… cannot be read; 2 other weights were found"
    spoil(path, "g")
    said = r"the file is damaged: d+… and all weights under g \((.*)\) cannot be read; (.*)"
    found = re.fullmatch(said, refusal(path))
    assert found is not None
    assert found.groups() == (", ".join([f"{'x' * 100}…"] * 5) + ", ...", "1 other weight was found")
    with h5py.File(path, "w") as file:
        file["l" * 50_000] = h5py.SoftLink("/w")
    with pytest.raises(UnsafeFileError) as caught:
        open_weights(path)
    assert caught.value.problem == f"{'l' * 100}…: it is a soft link"


@pytest.mark.parametrize("place", [0, 8, 13, 96])
def test_a_file_that_cannot_be_opened_at_all_is_told_in_words(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place : place + 4] = b"\xf0\xff\xff\xff"
    path.write_bytes(raw)
    with pytest.raises(Exception, match=r"model\.h5: ") as caught:
        open_weights(path)
    assert not re.search(r"[A-Z]\w*Error|[Uu]nable to", str(caught.value))
