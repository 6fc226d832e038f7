"""A weight's address and measures."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.ref import Kind, Source, WeightRef

REF = WeightRef(
    structure="layers/dense/vars/0",
    layer="encoder/dense",
    index=0,
    name="kernel",
    shape=(3, 4),
    dtype=np.dtype("<f4"),
    kind=Kind.PARAMETER,
    layer_class="Dense",
    trainable=True,
    known_from=Source.CONFIG,
)


def test_the_path_is_the_name_address_where_it_is_known():
    assert REF.path == "encoder/dense/kernel"


@pytest.mark.parametrize("unknown", [{"layer": None}, {"name": None}])
def test_the_path_is_the_structure_where_a_part_of_the_name_is_not_known(unknown):
    assert replace(REF, **unknown).path == "layers/dense/vars/0"


def test_a_weight_of_the_model_itself_has_no_layer_in_its_path():
    assert replace(REF, layer="", name="temperature").path == "temperature"


def test_the_second_weight_of_a_name_bears_its_number():
    assert replace(REF, duplicate=2).path == "encoder/dense/kernel#2"


@pytest.mark.parametrize(
    ("shape", "dtype", "size", "nbytes"),
    [((3, 4), "<f4", 12, 48), ((), ">f8", 1, 8), ((0, 7), "<f4", 0, 0), ((5,), ml_dtypes.bfloat16, 5, 10)],
)
def test_size_counts_elements_and_nbytes_their_bytes(shape, dtype, size, nbytes):
    ref = replace(REF, shape=shape, dtype=np.dtype(dtype))
    assert (ref.size, ref.nbytes) == (size, nbytes)


def test_references_are_values_that_compare_and_hash():
    assert {REF, replace(REF)} == {REF}
    with pytest.raises(AttributeError):
        REF.name = "bias"


def test_notebooks_show_what_its_repr_says_and_nothing_in_a_name_is_markup():
    assert replace(REF, name="<b>")._repr_html_().startswith("<code>&lt;WeightRef &#x27;encoder/dense/&lt;b&gt;&#x27;")
