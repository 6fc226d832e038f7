"""The index is checked again: the reading process is not trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.hdf5.index import Index
from weightkit.errors import DamagedFileError, RefusedError, UnsafeFileError

if TYPE_CHECKING:
    from typing import Any

LENGTH = 10_000


def dataset(path: str = "d", **changes: Any) -> Any:
    record = {
        "path": path,
        "type": "dataset",
        "address": 800,
        "shape": [10],
        "dtype": "<f4",
        "element": 4,
        "layout": "contiguous",
        "filters": [],
        "offset": 2000,
        "size": 40,
        "attributes": [],
        "form": "",
        "fill": "",
    }
    return record | changes


def group(path: str = "", **changes: Any) -> Any:
    return {"path": path, "type": "group", "address": 96, "attributes": [], "form": ""} | changes


def chunked(spans: list[Any], **changes: Any) -> list[Any]:
    """A dataset in compressed chunks, and where they are."""
    record = dataset(**{"layout": "chunked", "offset": None, "size": 0, "filters": ["deflate"]} | changes)
    return [record, {"path": record["path"], "type": "chunks", "whole": 16, "spans": spans}]


def test_sound_records_become_groups_datasets_and_aliases() -> None:
    attributes = [["name", "digest", "a"], ["list", "digest", ["a", "b"]], ["number", "digest", None]]
    index = Index.of(
        [group(attributes=attributes), dataset(), {"path": "e", "type": "alias", "of": "d"}],
        LENGTH,
    )
    assert index.attributes("") == {"name": "a", "list": ("a", "b"), "number": None}
    assert index.attributes("nowhere") == {}
    assert index.datasets["d"].numpy_dtype == np.float32
    assert index.aliases == {"e": "d"}


DAMAGED = {
    "over another dataset": [dataset(), dataset("e", address=900, offset=2039)],
    "inside another dataset": [dataset(), dataset("e", address=900, offset=2010, shape=[1], size=4)],
    "over another by one long one before": [
        dataset("a", offset=1000, shape=[1000], size=4000),
        dataset("b", address=900, offset=1000 - 40),
        dataset("c", address=901, offset=3000),
    ],
    "over a header": [group(), dataset(offset=60)],
    "over its own header": [dataset(offset=790)],
    "over the file's signature": [dataset(offset=4)],
    "past the end": [dataset(offset=LENGTH - 39)],
    "far past the end": [dataset(offset=2**63)],
    "before the start": [dataset(offset=-1)],
    "of negative size": [dataset(shape=[10], dtype="<text>", size=-40)],
    "text, too long for its shape": [dataset(dtype="<text>", element=8, size=4096)],
    "text, too short for its shape": [dataset(dtype="<text>", element=8, size=40)],
    "a compound inside a header, too long": [dataset(dtype="<compound>", layout="compact", offset=None, size=80)],
    "of elements of no bytes": [dataset(dtype="<text>", element=0, size=0)],
    "of elements that its type does not have": [dataset(element=8, size=80)],
    "too short for its shape": [dataset(size=36)],
    "too long for its shape": [dataset(size=44)],
    "with a negative axis": [dataset(shape=[-10])],
    "with two negative axes": [dataset(shape=[-2, -5])],
    "with an endless axis": [dataset(shape=[2**63], layout="chunked", offset=None)],
    "with endless elements": [dataset(shape=[2**40, 2**40], layout="chunked", offset=None)],
    "with endless axes beside an empty one": [dataset(shape=[0, 2**40, 2**40], layout="chunked", offset=None, size=0)],
    "of negative size, in chunks": [dataset(layout="chunked", offset=None, size=-40)],
    "too short for its shape, inside a header": [dataset(layout="compact", offset=None, size=36)],
    "too large for the file": [dataset(layout="chunked", offset=None, size=LENGTH + 1)],
    "too large for the file, with another": [
        dataset(layout="chunked", offset=None, size=LENGTH // 2),
        dataset("e", layout="chunked", offset=None, size=LENGTH // 2 + 1, address=900),
    ],
    "in a chunk over another dataset": [dataset("e", address=900), *chunked([1990, 11])],
    "in a chunk inside another dataset": [dataset("e", address=900), *chunked([2004, 4])],
    "in a chunk around another dataset": [dataset("e", address=900), *chunked([1900, 200])],
    "in two chunks that overlap": chunked([3000, 10, 3009, 10]),
    "in a chunk over another's chunk": [*chunked([3000, 10]), *chunked([3009, 10], path="e", address=900)],
    "in chunks of two records that overlap": [*chunked([3000, 10]), chunked([3009, 10])[1]],
    "in a chunk over a header": [group(), *chunked([90, 10])],
    "in a chunk over the signature": chunked([4, 10]),
    "in a chunk past the end": chunked([LENGTH - 9, 10]),
    "in a chunk far past the end": chunked([1 << 62, 10]),
    "in a chunk before the start": chunked([-1, 10]),
    "in a chunk of negative size": chunked([3000, -1]),
    "in a chunk without filters of the wrong size": chunked([3000, 12], filters=[]),
    "with its header past the end": [dataset(address=LENGTH)],
    "with its header before the start": [dataset(address=-1)],
    "with 33 axes": [dataset(shape=[1] * 33, layout="chunked", offset=None)],
}


@pytest.mark.parametrize("records", DAMAGED.values(), ids=DAMAGED)
def test_a_dataset_that_cannot_be_is_damage(records: list[Any]) -> None:
    with pytest.raises(DamagedFileError):
        Index.of(records, LENGTH)


SOUND = {
    "beside another": [dataset(), dataset("e", address=900, offset=2040)],
    "at the very end": [dataset(offset=LENGTH - 40)],
    "empty, with the longest axis that NumPy can hold": [
        dataset(dtype="<f8", element=8, shape=[0, 2**59], offset=None, size=0)
    ],
    "empty, and anywhere inside": [dataset(shape=[0], size=0), dataset("e", address=900, offset=1990)],
    "without space": [dataset(offset=None, size=0)],
    "without a dataspace": [dataset(shape=None, size=0)],
    "with one element": [dataset(shape=[], size=4)],
    "in chunks that do not hold all of it": [dataset(shape=[1000], layout="chunked", offset=None, size=0)],
    "inside its header": [dataset(layout="compact", offset=None)],
    "in chunks beside another": [dataset("e", address=900), *chunked([1900, 100, 2040, 0, 2041, 10])],
    "in chunks without filters": chunked([1900, 16, 1916, 16], filters=[]),
    "in chunks that no record tells of": chunked([]),
    "text of 16 bytes": [dataset(dtype="<text>", element=16, size=160)],
}


@pytest.mark.parametrize("records", SOUND.values(), ids=SOUND)
def test_a_dataset_that_can_be_is_taken(records: list[Any]) -> None:
    assert "d" in Index.of(records, LENGTH).datasets


@pytest.mark.parametrize("start", [LENGTH - 39, 2**63, -1])
def test_values_outside_the_file_are_refused_with_where_they_must_be(start: int) -> None:
    where = f"d: its values must be at bytes {start} to {start + 40}, but the file ends at {LENGTH}"
    with pytest.raises(DamagedFileError, match=where):
        Index.of([dataset(offset=start)], LENGTH)


MIB = 1 << 20


@pytest.mark.parametrize("path", ["a" * 4097, "/".join("a" * 129)])
def test_a_path_that_nobody_gives_is_refused(path: str) -> None:
    assert Index.of([dataset(path[:-2])], LENGTH).datasets
    with pytest.raises(UnsafeFileError, match="its path has more than"):
        Index.of([dataset(path)], LENGTH)


UNWRITTEN = {
    "a terabyte without space": [dataset(shape=[2**38], offset=None, size=0)],
    "a terabyte in chunks that are not there": [dataset(shape=[2**38], layout="chunked", offset=None, size=0)],
    "two that are too much together": [
        dataset(shape=[32 * MIB // 4], offset=None, size=0),
        dataset("e", shape=[32 * MIB // 4 + 1], layout="chunked", offset=None, size=0, address=900),
    ],
    "more than deflate can hold": [
        dataset(
            shape=[16 * MIB + 258 * 100 + 1], layout="chunked", filters=["shuffle", "deflate"], offset=None, size=100
        )
    ],
    "as much as deflate could hold, without it": [
        dataset(shape=[16 * MIB + 258 * 100], layout="chunked", filters=["shuffle"], offset=None, size=100)
    ],
}


@pytest.mark.parametrize("records", UNWRITTEN.values(), ids=UNWRITTEN)
def test_values_that_a_file_declares_and_does_not_hold_are_refused_past_a_limit(records: list[Any]) -> None:
    with pytest.raises(UnsafeFileError, match=r"declares \d+ bytes of values that it does not store"):
        Index.of(records, LENGTH)
    assert Index.of(records, LENGTH, whole=False).datasets  # a new file, whose chunks are yet to be written


def test_values_that_a_file_declares_and_does_not_hold_are_taken_up_to_a_limit() -> None:
    for shape, more in [
        ([16 * MIB], {"layout": "contiguous"}),
        ([16 * MIB + 258 * 100], {"layout": "chunked", "filters": ["deflate"], "size": 100}),
        ([2**40], {"layout": "contiguous", "dtype": "<text>"}),
    ]:
        index = Index.of([dataset(shape=shape, **({"offset": None, "size": 0} | more))], LENGTH)
        assert index.datasets["d"].shape == tuple(shape)


NONSENSE = {
    "a type that is none": [group(type="link")],
    "a missing field": [{"path": "", "type": "group"}],
    "a number for a path": [group(5)],
    "a list for a path": [group(["a"])],
    "no object at all": [5],
    "text for an address": [dataset(address="800")],
    "a fraction for an offset": [dataset(offset=2000.0)],
    "infinity for a size": [dataset(size=math.inf)],
    "a size that no file has": [dataset(size=10**4200)],
    "truth for an axis": [dataset(shape=[True])],
    "a number for a type of values": [dataset(dtype=4)],
    "a number for text": [group(attributes=[["a", "digest", 5]])],
    "a list of numbers for text": [group(attributes=[["a", "digest", [5]]])],
    "an attribute of two fields": [group(attributes=[["a", "digest"]])],
    "one path twice": [dataset(), dataset(offset=4000, address=900)],
    "one path for a group and a dataset": [group("d"), dataset()],
    "no bytes of an element": [{key: value for key, value in dataset().items() if key != "element"}],
    "chunks of no dataset": chunked([3000, 10])[1:],
    "chunks of a dataset in one piece": [dataset(), chunked([3000, 10])[1]],
    "chunks of a group": [group("d"), chunked([3000, 10])[1]],
    "a chunk without a size": chunked([3000]),
    "text for the place of a chunk": chunked(["3000", 10]),
    "truth for the size of a chunk": chunked([3000, True]),
    "a number for what digests the chunks": [dataset(table=5)],
    "a number for what digests the values": [dataset(content=5)],
    "a layout that is none": [dataset(layout="elsewhere")],
    "a number for what stands for missing values": [dataset(fill=0)],
    "a number for what else it is made with": [group(form=0)],
    "an offset for chunks": [dataset(layout="chunked")],
}


@pytest.mark.parametrize("records", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused_as_such(records: list[Any]) -> None:
    with pytest.raises(UnsafeFileError, match="sent an invalid reply"):
        Index.of(records, LENGTH)


@pytest.mark.parametrize("code", ["O", "|O", "M8[s]", "<U8", "f4,f4", "|V4", "S40", "", ">", "<f16", "<c8", "float32"])
def test_only_codes_of_plain_numbers_are_numbers(code: str) -> None:
    assert Index.of([dataset(dtype=code)], LENGTH).datasets["d"].numpy_dtype is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
plausible = st.sampled_from([0, -1, 96, 800, 2000, 40, LENGTH, 2**63, [], [10], "<f4", "O", "contiguous", None, "d"])
fields = st.sampled_from([*dataset(), "of"])
broken_records = st.builds(
    lambda start, changes, gone: {key: value for key, value in (start | changes).items() if key not in gone},
    st.sampled_from([dataset(), group(), {"path": "e", "type": "alias", "of": "d"}]),
    st.dictionaries(fields, plausible | json_values, max_size=3),
    st.sets(fields, max_size=1),
)


@given(st.lists(broken_records | json_values, max_size=4))
def test_whatever_is_said_an_index_is_made_or_refused(records: list[Any]) -> None:
    try:
        index = Index.of(records, LENGTH)
    except RefusedError:
        return
    for found in index.datasets.values():
        if found.layout == "contiguous" and found.offset is not None:
            assert 0 <= found.offset <= found.offset + found.size <= LENGTH
        if found.numpy_dtype is not None:
            assert not found.numpy_dtype.hasobject
