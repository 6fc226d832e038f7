"""Files that their writer did not close: read with a note, never replaced, and copies of them open in h5py."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from support import digest

from weightkit import Scale, cast, drop, open_weights, plan, scale
from weightkit.access.hdf5.superblock import SIGNATURE, Superblock, lookup3, superblock_of
from weightkit.errors import UnsupportedFileError

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = np.arange(300_000, dtype=np.float32).reshape(3, -1)
"""Over a megabyte: longer than where the file ended when it was last flushed."""
MARKED = "the file is marked as open for writing: its writer was killed or is still at work"
_WRITER = """
import os, sys
import h5py, numpy as np
file = h5py.File(sys.argv[1], "w", libver="latest", userblock_size=int(sys.argv[2]))
file.attrs["layer_names"] = [b"dense"]
group = file.create_group("dense")
group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0", b"dense/gamma:0"]
group["dense/bias:0"] = np.ones(3, "f4")
group.create_dataset("dense/gamma:0", data=np.ones(3, "f4"), chunks=(2,))
dataset = group.create_dataset("dense/kernel:0", (3, 100_000), "f4")
file.flush()
dataset[...] = np.arange(300_000, dtype="f4").reshape(3, -1)
dataset.flush()
os._exit(1)
"""


def killed(path: Path, user_block: int = 0) -> Path:
    """The file of a writer that ended without closing it."""
    done = subprocess.run([sys.executable, "-c", _WRITER, path, str(user_block)], check=False)
    assert done.returncode == 1
    return path


def test_a_file_that_was_not_closed_is_read_with_a_note(tmp_path: Path) -> None:
    path = killed(tmp_path / "m.h5")
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(path)
    with open_weights(path) as store:
        assert store.notes == (
            f"{MARKED}; its values may be incomplete; an edit with -o makes a copy without the mark",
        )
        assert store["dense/kernel"].tobytes() == KERNEL.tobytes()


def test_it_is_never_replaced(tmp_path: Path) -> None:
    path = killed(tmp_path / "m.h5")
    before = digest(path)
    edits: list[Any] = [
        lambda: scale(path, 2),
        lambda: scale(path, 2, dry_run=True),
        lambda: cast(path, "float16"),
        lambda: drop(path, "dense/bias"),
        lambda: plan(path, Scale(2)).apply(path),
    ]
    for edit in edits:
        with pytest.raises(UnsupportedFileError, match=MARKED) as raised:
            edit()
        assert "-o OUT" in raised.value.hint
        assert raised.value.file == str(path)
    assert digest(path) == before
    assert os.listdir(tmp_path) == ["m.h5"]  # noqa: PTH208  # hidden files too


@pytest.mark.parametrize("user_block", [0, 512, 2048])
@pytest.mark.parametrize("where", ["dense/kernel", "**"], ids=["patched", "rebuilt"])
def test_an_edited_copy_opens_in_h5py_with_equal_values(tmp_path: Path, user_block: int, where: str) -> None:
    path, out = killed(tmp_path / "m.h5", user_block), tmp_path / "out.h5"
    scale(path, 2, where=where, output=out, verify=True)
    others = 1 if where == "dense/kernel" else 2
    with h5py.File(out) as file:
        assert file["dense/dense/kernel:0"][()].tobytes() == (2 * KERNEL).tobytes()
        assert file["dense/dense/bias:0"][()].tolist() == [others] * 3
        assert file["dense/dense/gamma:0"][()].tolist() == [others] * 3
        assert file.userblock_size == user_block
    with open_weights(out) as store:
        assert store.notes == ()
    scale(out, 2)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_so_does_one_in_an_archive(tmp_path: Path, compression: int) -> None:
    path, out = tmp_path / "m.keras", tmp_path / "out.keras"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", killed(tmp_path / "weights.h5").read_bytes())
    with pytest.raises(UnsupportedFileError, match=MARKED):
        scale(path, 2, where="dense/dense/kernel:0")
    scale(path, 2, where="dense/dense/kernel:0", output=out, verify=True)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        (tmp_path / "copy.h5").write_bytes(archive.read("model.weights.h5"))
    with h5py.File(tmp_path / "copy.h5") as file:
        assert file["dense/dense/kernel:0"][()].tobytes() == (2 * KERNEL).tobytes()


def test_a_file_that_others_may_read_while_it_is_written_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["layer_names"] = [b"dense"]
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"kernel:0"]
        group["kernel:0"] = KERNEL
        file.swmr_mode = True  # this gives the lock back
        with pytest.raises(UnsupportedFileError, match=MARKED):
            scale(path, 2)
        scale(path, 2, output=tmp_path / "out.h5")
    scale(path, 2)  # it is closed now
    for one in ("m.h5", "out.h5"):
        with h5py.File(tmp_path / one) as file:
            assert file["dense/kernel:0"][()].tobytes() == (2 * KERNEL).tobytes()


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("libver", ["v108", "latest"])
def test_the_checksum_is_the_library_s(tmp_path: Path, libver: str, user_block: int) -> None:
    path = tmp_path / "m.h5"
    for number in range(4):
        with h5py.File(path, "w", libver=("v108", libver), userblock_size=user_block) as file:
            file["values"] = np.arange(number)
        content = path.read_bytes()
        with path.open("rb") as raw:
            found = superblock_of(raw.fileno(), 0, len(content))
        assert found is not None
        assert not found.is_marked
        assert found.place == user_block
        assert lookup3(found.content[:-4]) == int.from_bytes(found.content[-4:], "little")
        assert found.cleared(len(content)) == found


def test_the_checksum_is_that_of_its_author_s_examples() -> None:
    """From `driver5` in https://burtleburtle.net/bob/c/lookup3.c; HDF5 starts with 0 as well."""
    assert lookup3(b"Four score and seven years ago") == 0x17770551


@pytest.mark.parametrize(("width", "letter"), [(2, "H"), (4, "I"), (8, "Q")])
def test_an_end_that_addresses_of_this_width_cannot_say_stays(width: int, letter: str) -> None:
    head = SIGNATURE + bytes([3, width, width, 1]) + struct.pack(f"<4{letter}", 0, 0, 99, 48)
    for length in (50, 200, 70_000, 5 << 30):
        cleared = Superblock(0, head + bytes(4)).cleared(length)
        _, _, end, root = struct.unpack_from(f"<4{letter}", cleared.content, 12)
        assert (end, root) == (max(99, length) if length < 1 << 8 * width else 99, 48)
        assert not cleared.is_marked


@pytest.mark.parametrize(
    "content",
    [b"", SIGNATURE, SIGNATURE + b"\x03\x08\x08\x01", SIGNATURE + b"\x03\x09\x08\x01" * 20,
     SIGNATURE + b"\x09\x08\x08\x01" * 20, bytes(2000)],
)  # fmt: skip
def test_what_is_no_such_superblock_has_no_mark(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(content)
    with path.open("rb") as raw:
        assert superblock_of(raw.fileno(), 0, len(content)) is None


def test_a_file_of_the_older_format_has_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["values"] = KERNEL
    with path.open("rb") as raw:
        assert superblock_of(raw.fileno(), 0, path.stat().st_size) is None
