"""An edit of one weight changes no other, also where the file lets their bytes lie over each other."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from support import Folder, write_variables

from weightkit import open_weights
from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NOTE = "a text of variable length, and longer than the weight"


@pytest.fixture
def path(tmp_path: Path) -> Any:
    return write_variables(tmp_path / "model.weights.h5", {"layers/a/vars/0": KERNEL, "layers/b/vars/0": KERNEL + 1})


def _over(path: Path, what: str) -> None:
    """Let the values of the second weight lie over what says where others' values are, or over values among tables."""
    with h5py.File(path, "r+") as file:
        file.create_dataset("layers/c/vars/0", data=np.arange(12, dtype="f4"), chunks=(4,))
        file["layers/c/note"] = [NOTE]
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_layout(h5py.h5d.COMPACT)
        held = np.frombuffer(b"these values are in a header, and there are many of them", "<f4")
        h5py.h5d.create(
            file["layers/c"].id, b"held", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(held.shape), early
        ).write(h5py.h5s.ALL, h5py.h5s.ALL, held)
        was = file["layers/b/vars/0"].id.get_offset()
    raw = path.read_bytes()
    spot = {"a chunk tree": b"TREE\x01", "text": NOTE.encode(), "values in a header": b"in a header"}[what]
    sizes = struct.pack("<QQ", was, KERNEL.nbytes)
    assert (raw.count(sizes), raw.count(spot)) == (1, 1)
    path.write_bytes(raw.replace(sizes, struct.pack("<QQ", raw.index(spot), KERNEL.nbytes)))


@pytest.mark.parametrize("what", ["a chunk tree", "text", "values in a header"])
def test_an_edit_that_would_change_another_s_values_on_the_way_is_not_committed(path: Path, what: str) -> None:
    _over(path, what)
    before = Folder.of(path.parent)
    with open_weights(path, editable=True) as store:
        ref = next(ref for ref in store if ref.structure == "layers/b/vars/0")
        with pytest.raises(DamagedFileError), store.editing([ref]) as sink:
            sink.write(ref, KERNEL)
    assert Folder.of(path.parent) == before
