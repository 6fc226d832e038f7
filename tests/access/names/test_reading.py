"""Whether arrays are the weights that a class saves."""

from __future__ import annotations

import pytest

from weightkit.access.names import class_weights, reading
from weightkit.access.names.naming import Stored
from weightkit.access.names.object_tree import Node, grow


def node(*arrays: tuple[tuple[int, ...], str]) -> Node:
    return grow([Stored(f"vars/{i}", shape, dtype) for i, (shape, dtype) in enumerate(arrays)])


F = "float32"


@pytest.mark.parametrize(
    ("class_name", "arrays", "names"),
    [
        ("Dense", [((3, 4), F), ((4,), F)], ["kernel", "bias"]),
        ("Dense", [((3, 4), F), ((3,), F)], None),  # a bias as long as the inputs
        ("Dense", [((3, 4), F)], ["kernel"]),
        ("Dense", [((3, 4), "bool"), ((4,), F)], None),
        ("Dense", [((3, 4), "bfloat16"), ((4,), "float16")], ["kernel", "bias"]),
        ("Dense", [((3, 4), "int8"), ((4,), F), ((4,), F)], ["kernel", "bias", "kernel_scale"]),
        ("Dense", [((3, 4), F), ((4,), F), ((4,), F)], None),
        ("BatchNormalization", [((4,), F)] * 3, None),  # gamma or beta is first
        ("BatchNormalization", [((4,), F)] * 4, ["gamma", "beta", "moving_mean", "moving_variance"]),
        ("BatchNormalization", [((4,), F)] * 3 + [((5,), F)], None),
        ("LayerNormalization", [((4,), F)], None),
        ("LayerNormalization", [((4, 2), F)] * 2, ["gamma", "beta"]),
        ("GRUCell", [((2, 12), F), ((4, 12), F), ((2, 12), F)], ["kernel", "recurrent_kernel", "bias"]),
        ("GRUCell", [((2, 12), F), ((4, 12), F), ((3, 12), F)], None),
        ("Conv2D", [((3, 3, 2, 4), F), ((4,), F)], ["kernel", "bias"]),
        ("Conv2D", [((3, 3, 2, 4), F), ((2,), F)], None),
        ("Normalization", [((3,), F), ((3,), F), ((), "int64")], ["mean", "variance", "count"]),
    ],
)
def test_arrays_read_as_a_class_in_one_way_or_not_at_all(
    class_name: str, arrays: list[tuple[tuple[int, ...], str]], names: list[str] | None
) -> None:
    layer_class = class_weights.find(class_name)
    assert layer_class is not None
    found = reading.only_fit(layer_class.cases, node(*arrays))
    assert (found and [weight.name for weight in found]) == names


def test_a_gap_in_the_numbers_fits_nothing() -> None:
    tree = grow([Stored("vars/0", (3, 4), F), Stored("vars/2", (4,), F)])
    assert reading.weights_by_config(tree, "Dense", {"dtype": F}) is None
