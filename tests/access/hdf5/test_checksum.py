"""CRC-32 against zlib's, in one thread and in two."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.hdf5 import checksum
from weightkit.access.hdf5.checksum import crc32_of, joined
from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("checksum") / "bytes"
    path.write_bytes(os.urandom((5 << 20) + 3))
    with path.open("rb") as file:
        yield file.fileno(), path.read_bytes()


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_two_checksums_join_into_that_of_both(first: bytes, second: bytes) -> None:
    assert joined(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@given(st.integers(0, 2**70), st.integers(0, 1 << 12))
def test_joining_zeros_of_any_number_in_two_steps_or_one_is_the_same(many: int, few: int) -> None:
    zeros = zlib.crc32(bytes(few))
    at_once = joined(0x12345678, joined(0, zeros, few), many + few)
    in_steps = joined(joined(0x12345678, 0, many), zeros, few)
    assert at_once == in_steps


@given(data=st.data())
def test_a_part_of_a_file_has_the_checksum_that_zlib_gives(content: tuple[int, bytes], data: st.DataObject) -> None:
    fd, whole = content
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - start))
    assert crc32_of(fd, start, length) == zlib.crc32(whole[start : start + length])


@pytest.mark.parametrize("length", [checksum.WORTH_THREADS - 1, checksum.WORTH_THREADS, (5 << 20) + 1])
def test_two_threads_find_what_one_does(content: tuple[int, bytes], length: int) -> None:
    fd, whole = content
    assert crc32_of(fd, 2, length) == zlib.crc32(whole[2 : 2 + length])


def test_a_file_that_ends_before_is_damaged(content: tuple[int, bytes]) -> None:
    fd, whole = content
    with pytest.raises(DamagedFileError, match="must have 1 more bytes"):
        crc32_of(fd, len(whole) - 10, 11)
    with pytest.raises(DamagedFileError):
        crc32_of(fd, 1, len(whole))
