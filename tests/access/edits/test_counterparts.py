"""Which weight of a store is which of a plan made elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from weightkit.access.edits.counterparts import counterparts
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.errors import RequestError


def ref(structure, layer=None, name=None, shape=(2,), dtype="f4"):
    return WeightRef(structure, layer, 0, name, shape, np.dtype(dtype), Kind.PARAMETER, None, None, Source.FILE)


HERE = [ref("d/d/kernel:0", "d", "kernel"), ref("e/e/kernel:0", "e", "kernel")]


def found(wanted, theirs):
    return counterparts(HERE, wanted, theirs, "plan.h5", "here.h5")


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
    there = [replace(HERE[0], structure="vars/0", dtype=np.dtype(">f4")), HERE[1]]
    assert found(HERE[:1], there) == {HERE[0]: there[0]}


def test_what_is_missing_is_told_with_what_was_tried():
    with pytest.raises(RequestError, match=r"here\.h5: .*plan\.h5.*1 of 2 have no match by name \(e/kernel\)"):
        found(HERE, HERE[:1])


@pytest.mark.parametrize(
    ("other", "what"),
    [({"shape": (3,)}, r"shape \(2,\) and \(3,\)"), ({"dtype": np.dtype("f2")}, "type float32 and float16")],
)
def test_another_shape_or_type_is_refused_where_the_plan_changes_it(other, what):
    there = [replace(HERE[0], **other), HERE[1]]
    with pytest.raises(RequestError, match=f"here.h5: d/kernel: {what}, in plan.h5 and here"):
        found(HERE[:1], there)
    assert found(HERE[1:], there) == {HERE[1]: HERE[1]}


def test_layers_with_automatic_names_are_those_of_the_same_turn():
    ours = [ref(f"layers/dense{n}/vars/0", f"dense{n}", "kernel") for n in ("", "_1")]
    there = [ref(f"dense_{n}/dense_{n}/kernel:0", f"dense_{n}", "kernel") for n in (7, 8)]
    assert counterparts(ours, ours, there, "plan.h5", "here.h5") == dict(zip(ours, there, strict=True))


def test_what_neither_names_nor_structure_settle_is_refused():
    there = [ref("x/x/kernel:0", "x", "kernel", (5,)), ref("y/y/kernel:0", None, None, (6,))]
    with pytest.raises(RequestError, match=r"here\.h5: the plan was made on plan\.h5, .* cannot be matched"):
        found(HERE, there)
