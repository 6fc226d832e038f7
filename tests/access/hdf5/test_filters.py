"""Chunks decoded and encoded: weightkit reads what the HDF5 library writes, and the other way round."""

from __future__ import annotations

import contextlib
import itertools
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.hdf5.filters import Filter, decoded, encoded, fletcher32
from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

CODES = {
    h5py.h5z.FILTER_DEFLATE: "deflate",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
}
OPTIONS = [
    {"shuffle": shuffle, "fletcher32": fletcher, **deflate}
    for shuffle, fletcher, deflate in itertools.product(
        [False, True], [False, True], [{}, {"compression": 0}, {"compression": 1}, {"compression": 9}]
    )
]


def written(path: Path, values: Any, options: dict[str, Any]) -> Any:
    """Every chunk as h5py stores it, with its pipeline."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("d", data=values, **options)
        creation = dataset.id.get_create_plist()
        steps = [creation.get_filter(number) for number in range(creation.get_nfilters())]
        filters = tuple(Filter(CODES[code], options[0] if options else 0) for code, _, options, _ in steps)
        chunks = {}
        for number in range(dataset.id.get_num_chunks()):
            place = dataset.id.get_chunk_info(number).chunk_offset
            chunks[place] = dataset.id.read_direct_chunk(place)
        return filters, chunks, dataset.chunks


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "i1", ">u2", "?", "V2", "<i8"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_what_the_library_wrote_is_decoded_and_what_is_encoded_here_the_library_reads(
    tmp_path: Path, dtype: str, options: dict[str, Any]
) -> None:
    raw = np.random.default_rng(3).integers(0, 2, 7 * 5 * np.dtype(dtype).itemsize, np.uint8)
    values = raw.view(dtype).reshape(7, 5)
    filters, chunks, shape = written(tmp_path / "a.h5", values, {"chunks": (3, 2), **options})
    length = 6 * values.itemsize
    with h5py.File(tmp_path / "b.h5", "w") as file:
        copy = file.create_dataset("d", values.shape, values.dtype, chunks=shape, **options)
        for (row, column), (mask, content) in chunks.items():
            block = decoded(content, filters, mask, length)
            inside = values[row : row + 3, column : column + 2]
            found = np.frombuffer(block, values.dtype).reshape(3, 2)[: inside.shape[0], : inside.shape[1]]
            assert found.tobytes() == inside.tobytes()
            copy.id.write_direct_chunk((row, column), encoded(block, filters), 0)
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["d"][()].tobytes() == values.tobytes()


@pytest.mark.parametrize("mask", range(8))
def test_a_filter_that_was_left_out_for_a_chunk_is_not_undone(tmp_path: Path, mask: int) -> None:
    filters = (Filter("shuffle", 4), Filter("deflate", 4), Filter("fletcher32"))
    values = np.arange(10, dtype="<f4")
    applied = tuple(step for number, step in enumerate(filters) if not mask >> number & 1)
    content = encoded(values.tobytes(), applied)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        options = {"chunks": (10,), "shuffle": True, "compression": 4, "fletcher32": True}
        dataset = file.create_dataset("d", (10,), "<f4", **options)
        dataset.id.write_direct_chunk((0,), content, mask)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["d"][()].tolist() == values.tolist()
        assert file["d"].id.get_chunk_info(0).filter_mask == mask
    assert decoded(content, filters, mask, 40) == values.tobytes()


def patterns() -> Any:
    random = np.random.default_rng(4)
    for size in (1, 2, 3, 4, 5, 359 * 2, 360 * 2, 361 * 2, 719, 721, 1441, 65_535, 65_536 * 2, 65_536 * 2 + 1, 262_147):
        yield bytes(size)
        yield b"\xff" * size
        yield random.integers(0, 256, size, np.uint8).tobytes()
    yield b"\xff\xff" * 65_535 + b"\x00\x01"
    yield b"\x00\x01" * 65_535
    yield b"\xff\xfe\x00\x01" * 5


@pytest.mark.parametrize("content", list(patterns()), ids=lambda content: f"{len(content)}-{content[:2].hex()}")
def test_the_checksum_is_the_library_s_for_every_length_and_at_the_edges(tmp_path: Path, content: bytes) -> None:
    options = {"chunks": (len(content),), "fletcher32": True}
    _, chunks, _ = written(tmp_path / "a.h5", np.frombuffer(content, np.uint8), options)
    ((_, stored),) = chunks.values()
    assert fletcher32(content).to_bytes(4, "little") == stored[len(content) :]


DEFLATE, CHECKED, SHUFFLE = Filter("deflate", 6), Filter("fletcher32"), Filter("shuffle", 4)
VALUES = np.random.default_rng(5).normal(size=100).astype("<f4").tobytes()
PACKED = zlib.compress(VALUES)
WRONG = {
    "short": (zlib.compress(VALUES[:-4]), (DEFLATE,), "must decode to 400 bytes, got 396"),
    "long by one": (zlib.compress(VALUES + b"x"), (DEFLATE,), "inflates to more than 400 bytes"),
    "a bomb": (zlib.compress(bytes(50 << 20)), (DEFLATE,), "inflates to more than 400 bytes"),
    "long by four, with a checksum outside": (
        encoded(zlib.compress(VALUES + b"xxxx"), (CHECKED,)),
        (DEFLATE, CHECKED),
        "must decode to 400 bytes, got 404",
    ),
    "with a wrong checksum inside": (zlib.compress(VALUES + b"xxxx"), (CHECKED, DEFLATE), "checksum is wrong"),
    "long by five, with a checksum inside": (zlib.compress(VALUES + b"xxxxx"), (CHECKED, DEFLATE), "more than 404"),
    "cut off": (PACKED[:-5], (DEFLATE,), "ends early"),
    "without its checksum of deflate": (PACKED[:-4], (DEFLATE,), "ends early"),
    "empty": (b"", (DEFLATE,), "ends early"),
    "no deflate": (VALUES, (DEFLATE,), "does not inflate"),
    "with a flipped bit": (PACKED[:50] + bytes([PACKED[50] ^ 1]) + PACKED[51:], (DEFLATE,), "inflate"),
    "too short for a checksum": (b"abc", (CHECKED,), "checksum is wrong"),
    "of another checksum": (VALUES + b"abcd", (CHECKED,), "checksum is wrong"),
    "of a checksum of other values": (
        VALUES + encoded(VALUES[4:] + VALUES[:4], (CHECKED,))[-4:],
        (CHECKED,),
        "checksum is wrong",
    ),
    "raw and short": (VALUES[:-1], (), "must decode to 400 bytes, got 399"),
    "raw and long": (VALUES + b"x", (), "must decode to 400 bytes, got 401"),
    "shuffled and short": (VALUES[:-3], (SHUFFLE,), "must decode to 400 bytes, got 397"),
    "shuffled and long": (VALUES + b"xyz", (SHUFFLE,), "must decode to 400 bytes, got 403"),
}


@pytest.mark.parametrize(("content", "filters", "reason"), WRONG.values(), ids=WRONG)
def test_a_chunk_that_does_not_come_to_its_exact_length_is_damage(
    content: bytes, filters: tuple[Filter, ...], reason: str
) -> None:
    with pytest.raises(DamagedFileError, match=reason):
        decoded(content, filters, 0, len(VALUES))


def test_a_bomb_takes_no_memory() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    tracemalloc.start()
    with pytest.raises(DamagedFileError):
        decoded(bomb, (DEFLATE,), 0, 400)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


@given(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from([DEFLATE, CHECKED, SHUFFLE, Filter("shuffle", 7), Filter("shuffle", 1)]),
        max_size=3,
        unique_by=lambda step: step.name,
    ),
)
def test_decoding_undoes_encoding_for_every_pipeline(content: bytes, filters: list[Filter]) -> None:
    assert decoded(encoded(content, tuple(filters)), tuple(filters), 0, len(content)) == content


@given(st.binary(max_size=300), st.lists(st.sampled_from([DEFLATE, CHECKED, SHUFFLE]), max_size=3), st.integers(0, 7))
def test_whatever_a_chunk_holds_it_is_decoded_to_its_length_or_refused(
    content: bytes, filters: list[Filter], mask: int
) -> None:
    with contextlib.suppress(DamagedFileError):
        assert len(decoded(content, tuple(filters), mask, 40)) == 40
