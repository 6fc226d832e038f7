"""From datasets and names to references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.formats.refs import dtype_of, refs_of, stored
from weightkit.access.hdf5.index import Attribute, Dataset
from weightkit.access.names.naming import Naming
from weightkit.access.ref import Kind, Source
from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from typing import Any


def dataset(
    path: str, shape: Any = (2, 3), *, dtype: Any = "<f4", size: int = 24, attributes: Any = (), element: int = 4
) -> Any:
    return Dataset(path, 800, attributes, shape, dtype, "contiguous", (), 2000, size, element=element)


def test_a_reference_has_the_dataset_s_measures_and_the_naming_s_names() -> None:
    naming = Naming("a", 4, "encoder/dense", "kernel", Kind.PARAMETER, "Dense", True, Source.CONFIG)
    found = dataset("a")
    ((ref, its_dataset),) = refs_of([naming], {"a": found}).items()
    assert its_dataset is found
    assert (ref.structure, ref.layer, ref.index, ref.name, ref.path) == (
        "a",
        "encoder/dense",
        4,
        "kernel",
        "encoder/dense/kernel",
    )
    assert (ref.shape, ref.dtype, ref.nbytes) == ((2, 3), np.float32, 24)
    assert (ref.kind, ref.layer_class, ref.trainable, ref.known_from) == (
        Kind.PARAMETER,
        "Dense",
        True,
        Source.CONFIG,
    )


def test_references_come_in_the_order_of_the_names() -> None:
    datasets = {name: dataset(name) for name in "abc"}
    assert [ref.structure for ref in refs_of([Naming(name, 0) for name in "cab"], datasets)] == ["c", "a", "b"]


def test_only_weights_of_one_name_in_one_layer_are_numbered() -> None:
    names = [
        ("l", "kernel"),
        ("l", "kernel"),
        ("m", "kernel"),
        ("l", "bias"),
        ("l", "kernel"),
        (None, None),
        (None, None),
    ]
    namings = [Naming(str(number), 0, layer, name) for number, (layer, name) in enumerate(names)]
    refs = refs_of(namings, {str(number): dataset(str(number)) for number in range(len(names))})
    assert [ref.path for ref in refs] == ["l/kernel", "l/kernel#2", "m/kernel", "l/bias", "l/kernel#3", "5", "6"]


def test_a_dataset_that_can_hold_nothing_has_no_elements() -> None:
    ((ref, _),) = refs_of([Naming("a", 0)], {"a": dataset("a", None, size=0)}).items()
    assert (ref.shape, ref.size, ref.nbytes) == ((0,), 0, 0)


SAYS_FLOAT8 = (Attribute("dtype", "", "float8_e4m3fn"),)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (dataset("a", dtype=">f8", size=48), np.dtype(">f8")),
        (dataset("a", dtype="|b1", size=6), np.dtype(bool)),
        (dataset("a", dtype="|V2", size=12), np.dtype(ml_dtypes.bfloat16)),
        (dataset("a", dtype="|V2", size=12, attributes=SAYS_FLOAT8, element=2), np.dtype("V2")),
        (dataset("a", dtype="<text>", size=96, element=16), np.dtype("V16")),
        (dataset("a", dtype="<compound>", shape=(), size=12, element=12), np.dtype("V12")),
        (dataset("a", dtype="<text>", shape=(0,), size=0, element=7), np.dtype("V7")),
        (dataset("a", dtype="<text>", shape=None, size=0, element=7), np.dtype("V7")),
        (dataset("a", dtype="<text>", shape=(5,), size=0, element=7), np.dtype("V7")),
        (dataset("a", dtype="<text>", shape=(1,), size=1 << 31, element=1 << 31), np.dtype("V1")),
    ],
)
def test_what_is_no_plain_number_is_raw_bytes(found: Any, expected: Any) -> None:
    assert dtype_of(found) == expected
    assert [item.dtype for item in stored({"a": found})] == [expected.name]


@pytest.mark.parametrize("name", ["D" * 4097, "/".join("D" * 129)])
def test_a_class_s_name_that_nobody_gives_is_refused(name: str) -> None:
    with pytest.raises(UnsafeFileError, match="a layer's name has more than"):
        refs_of([Naming("a", 0, layer_class=name)], {"a": dataset("a")})


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (dataset("a"), None),
        (dataset("a", dtype="|V2", size=12, element=2), None),
        (dataset("a", dtype="|V2", size=12, element=2, attributes=SAYS_FLOAT8), "opaque, 2 bytes"),
        (dataset("a", dtype="|V16", size=96, element=16), "opaque, 16 bytes"),
        (dataset("a", dtype="<text of variable length>", size=96, element=16), "text of variable length"),
        (dataset("a", dtype="odd", size=96, element=16), "opaque, 16 bytes"),
    ],
)
def test_what_is_no_plain_number_has_the_name_of_its_type(found: Any, name: str | None) -> None:
    [ref] = refs_of([Naming("a", 0)], {"a": found})
    assert ref.stored_as == name
    assert ref.dtype_text == (name or str(ref.dtype))
