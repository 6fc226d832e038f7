"""Chunked weights are edited, keep their form, and are refused if damaged."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import GOLDEN, Folder, half, halve, plain_datasets

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.store import Destination
from weightkit.errors import DamagedFileError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
DTYPES = ["<f2", "<f4", "<f8", ">f4", ">f8", "V2"]
CHUNKINGS = [
    {"chunks": (3, 2, 2)},
    {"chunks": (7, 5, 3)},
    {"chunks": (1, 1, 1), "compression": 1},
    {"chunks": (2, 5, 2), "compression": 9, "shuffle": True},
    {"chunks": (4, 3, 3), "shuffle": True, "compression": 4, "fletcher32": True},
    {"chunks": (3, 5, 3), "fletcher32": True},
    {"chunks": (3, 2, 2), "maxshape": (None, 5, None), "shuffle": True, "compression": 6},
    {"chunks": (8, 8, 8), "maxshape": (None, None, None)},
]


@pytest.mark.parametrize("libver", [None, "latest"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_chunked_weights_are_edited_and_keep_their_form(tmp_path: Path, dtype: str, libver: Any) -> None:
    path = tmp_path / "model.weights.h5"
    numbers = np.random.default_rng(6).normal(size=(7, 5, 3))
    values = numbers.astype(ml_dtypes.bfloat16).view("V2") if dtype == "V2" else numbers.astype(dtype)
    with h5py.File(path, "w", libver=libver) as file:
        for number, options in enumerate(CHUNKINGS):
            file.create_dataset(f"layers/a/vars/{number}", data=values, **options)
        file["layers/a/vars/plain"] = values
        file["layers/a/vars/whole"] = np.arange(5)
    halve(path)
    wanted = half(values.view(ml_dtypes.bfloat16) if dtype == "V2" else values)
    with h5py.File(path) as file:
        for number, options in enumerate(CHUNKINGS):
            dataset = file[f"layers/a/vars/{number}"]
            assert np.asarray(dataset[()]).view(wanted.dtype).tolist() == wanted.tolist()
            assert dataset.dtype == values.dtype
            form = {"compression": dataset.compression_opts, **{key: getattr(dataset, key) for key in options}}
            assert {key: form[key] or dataset.compression_opts for key in form} | options == {
                key: dataset.compression_opts if key == "compression" else value
                for key, value in ({"compression": None} | options).items()
            }
        assert np.asarray(file["layers/a/vars/plain"][()]).view(wanted.dtype).tolist() == wanted.tolist()
        assert file["layers/a/vars/whole"][()].tolist() == [0, 1, 2, 3, 4]


def test_chunks_of_any_number_of_axes_are_edited(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    path, written = tmp_path / "model.h5", {}
    with h5py.File(path, "w", libver=("earliest", "latest")) as file:
        for number in range(80):
            shape = tuple(int(length) for length in random.integers(1, 9, random.integers(1, 6)))
            chunks = tuple(int(random.integers(1, length + 1)) for length in shape)
            filters = {"shuffle": bool(number & 1), "fletcher32": bool(number & 2)}
            level = {"compression": int(random.integers(0, 10))} if number & 4 else {}
            values = random.normal(size=shape).astype("<f8" if number & 8 else ">f4")
            name = f"layers/a/vars/{number}"
            file.create_dataset(name, data=values, chunks=chunks, **filters, **level)
            written[name] = values
    halve(path)
    found = plain_datasets(path)
    assert {name: values.tolist() for name, values in found.items()} == {
        name: half(values).tolist() for name, values in written.items()
    }


def test_missing_chunks_take_the_fill_value_are_edited_and_stay_missing_where_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for number, fill in enumerate((None, 0.0, 8.0)):
            dataset = file.create_dataset(
                f"layers/a/vars/{number}", (100, 10), "f4", chunks=(10, 4), fillvalue=fill, compression=4
            )
            dataset[20:35, 3:5] = 6
        before = {name: values[()] for name, values in file["layers/a/vars"].items()}
    halve(path)
    with h5py.File(path) as file:
        for name, values in before.items():
            assert file["layers/a/vars"][name][()].tolist() == half(values).tolist()
        stored = [file["layers/a/vars"][name].id.get_num_chunks() for name in "012"]
    assert stored == [4, 4, 30]


def test_values_inside_a_header_are_edited_there(tmp_path: Path) -> None:
    path = tmp_path / "compact.h5"
    write_compact(path, KERNEL)
    halve(path)
    with h5py.File(path) as file:
        dataset = file["layers/a/vars/0"]
        assert dataset[()].tolist() == half(KERNEL).tolist()
        assert dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT
        assert file["layers/a/vars/1"][()] == 1.5


def write_compact(path: Path, values: Any) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.COMPACT)
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/a/vars")
        for name, content in ((b"0", values), (b"1", np.float32(3))):
            space = h5py.h5s.create_simple(content.shape) if content.shape else h5py.h5s.create(h5py.h5s.SCALAR)
            dataset = h5py.h5d.create(group.id, name, h5py.h5t.IEEE_F32LE, space, creation)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.asarray(content))


@pytest.mark.parametrize("to", ["<f2", "<f4", "<f8", "bfloat16"])
@pytest.mark.parametrize("make", ["plain", "chunked", "compact", "filled"])
def test_weights_of_any_layout_take_another_type_and_keep_all_else(tmp_path: Path, make: str, to: str) -> None:
    path, dtype = tmp_path / "model.h5", np.dtype(ml_dtypes.bfloat16 if to == "bfloat16" else to)
    options = {"chunks": (2, 3), "compression": 5, "shuffle": True, "maxshape": (None, 4)}
    if make == "compact":
        write_compact(path, KERNEL)
    else:
        with h5py.File(path, "w") as file:
            chosen = {"chunked": options, "filled": options | {"fillvalue": 2.0}}.get(make, {})
            dataset = file.create_dataset("layers/a/vars/0", data=KERNEL, track_order=True, **chosen)
            for name in ("z", "a", "m"):
                dataset.attrs[name] = name
            file["layers/a/vars/empty"] = np.zeros((0, 3), "f4")
    with open_weights(path, editable=True) as store:
        refs = [ref for ref in store if ref.dtype == np.float32]
        changes = Changes(types=dict.fromkeys(refs, dtype))
        with store.editing(refs, Destination(tmp_path / "out"), changes) as sink:
            for ref in refs:
                sink.write(ref, store.read(ref).astype(dtype))
    with h5py.File(path) as old, h5py.File(tmp_path / "out") as new:
        before, after = old["layers/a/vars/0"], new["layers/a/vars/0"]
        assert after.dtype == (np.dtype("V2") if to == "bfloat16" else dtype)
        assert np.asarray(after[()]).view(dtype).tolist() == KERNEL.astype(dtype).tolist()
        for field in ("chunks", "compression_opts", "shuffle", "maxshape", "shape"):
            assert getattr(after, field) == getattr(before, field)
        assert list(after.attrs) == list(before.attrs)
        if make == "filled" and to != "bfloat16":
            assert after.fillvalue == before.fillvalue
        if make in {"plain", "chunked"}:
            assert new["layers/a/vars/empty"].dtype == after.dtype


def chunked(path: Path, **options: Any) -> Any:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", data=np.arange(600.0), chunks=(100,), **options)
        file["layers/a/vars/1"] = KERNEL
    return path


def spoil_chunk(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Replace the bytes of the third chunk; the new ones must not be longer."""
    with h5py.File(path, "r+") as file:
        dataset = file["layers/a/vars/0"]
        content = change(dataset.id.read_direct_chunk((200,))[1])
        dataset.id.write_direct_chunk((200,), content)


DAMAGE = {
    "a flipped bit": lambda content: content[:20] + bytes([content[20] ^ 4]) + content[21:],
    "one byte less": lambda content: content[:-1],
    "nothing at all": lambda content: content[:0] + b"x",
    "other bytes": lambda content: b"\x01" * len(content),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("options", [{"compression": 4}, {"fletcher32": True}, {"compression": 4, "shuffle": True}])
def test_a_damaged_chunk_is_refused_with_nothing_written_and_no_stale_memory(
    tmp_path: Path, options: dict[str, Any], damage: Callable[[bytes], bytes]
) -> None:
    path = chunked(tmp_path / "model.h5", **options)
    spoil_chunk(path, damage)
    before = Folder.of(tmp_path)
    with open_weights(path) as store:
        first, second = store
        for span in (slice(None), slice(0, 10)):
            with pytest.raises(DamagedFileError, match="a chunk"):
                store.read(first, span)
        assert store.read(second).tolist() == KERNEL.tolist()
    with pytest.raises(DamagedFileError, match="a chunk"):
        halve(path)
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize("option", [0, 4, 16, 2**31])
def test_a_chunk_shuffled_by_another_size_is_refused(tmp_path: Path, option: int) -> None:
    path = chunked(tmp_path / "model.h5", shuffle=True, compression=4)
    raw = path.read_bytes()
    step = (2).to_bytes(2, "little") + b"\x08\0\x01\0\x01\0shuffle\0" + (8).to_bytes(4, "little")
    assert raw.count(step) == 1
    path.write_bytes(raw.replace(step, step[:-4] + option.to_bytes(4, "little")))
    before = Folder.of(tmp_path)
    with open_weights(path) as store, pytest.raises(DamagedFileError, match=r"its filters .* are invalid"):
        store.read(next(iter(store)))
    with pytest.raises(RefusedError):
        halve(path)
    assert Folder.of(tmp_path) == before


def test_chunks_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    path = chunked(tmp_path / "model.h5")
    with h5py.File(path) as file:
        first, second = (file["layers/a/vars/0"].id.get_chunk_info(number).byte_offset for number in (0, 1))
    raw = path.read_bytes()
    assert raw.count(second.to_bytes(8, "little")) == 1
    path.write_bytes(raw.replace(second.to_bytes(8, "little"), first.to_bytes(8, "little")))
    before = Folder.of(tmp_path)
    with pytest.raises(DamagedFileError, match="two chunks overlap"):
        halve(path)
    assert Folder.of(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_a_chunked_weight(tmp_path: Path) -> None:
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", data=np.ones((6144, 4096), "f4"), chunks=(64, 4096), compression=1)
    code = textwrap.dedent(f"""
        import resource
        import weightkit
        first = {str(tmp_path / "first")!r}
        weightkit.edit({str(GOLDEN[0])!r}, weightkit.Scale(0.5), where="**", exclude="kind:optimizer", output=first)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        weightkit.edit({str(path)!r}, weightkit.Scale(0.5), where='**')
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 32 << 10  # KiB, where the weight has 96 MiB
