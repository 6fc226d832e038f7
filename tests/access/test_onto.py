"""Which weight of a store is which of a plan made elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from weightkit.access.onto import counterparts
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.errors import RequestError


def ref(structure, layer=None, name=None, shape=(2,), dtype="f4"):
    return WeightRef(structure, layer, 0, name, shape, np.dtype(dtype), Kind.PARAMETER, None, None, Source.FILE)


HERE = [ref("d/d/kernel:0", "d", "kernel"), ref("e/e/kernel:0", "e", "kernel")]


def found(wanted, theirs):
    return counterparts(wanted, theirs, "plan.h5", "here.h5")


def test_weights_are_matched_by_name_where_all_are_named_alike():
    there = [replace(ref, structure=f"layers/{i}/vars/0", known_from=Source.MODEL) for i, ref in enumerate(HERE)]
    assert found(HERE, there) == dict(zip(HERE, there, strict=True))


def test_weights_are_matched_by_structure_where_names_differ():
    there = [replace(ref, layer=f"{ref.layer}_7") for ref in HERE]
    assert found(HERE, there) == dict(zip(HERE, there, strict=True))


def test_the_name_goes_before_the_structure():
    there = [replace(HERE[0], structure=HERE[1].structure), replace(HERE[1], structure=HERE[0].structure)]
    assert found(HERE, there) == dict(zip(HERE, there, strict=True))


def test_byte_order_is_no_difference():
    there = [replace(HERE[0], structure="vars/0", dtype=np.dtype(">f4"))]
    assert found(HERE[:1], there) == {HERE[0]: there[0]}


def test_what_is_missing_is_told_with_what_was_tried():
    with pytest.raises(RequestError, match=r"here\.h5: .*1 of 2 .* by name \(e/kernel\), 1 of 2 .* by structure"):
        found(HERE, HERE[:1])


@pytest.mark.parametrize("other", [{"shape": (3,)}, {"dtype": np.dtype("f2")}])
def test_another_shape_or_type_is_refused(other):
    with pytest.raises(RequestError, match=r"d/kernel is .* and float32 \(2,\) in plan\.h5"):
        found(HERE[:1], [replace(HERE[0], **other)])
