"""Layers of one name at several depths of a nested model, in one group: names as Keras 3.15 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from weightkit.access.names.legacy.names import LegacyGroup, name_legacy
from weightkit.access.names.naming import Stored
from weightkit.errors import UnsafeFileError


def dense(name: str, initializer: str) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "kernel_initializer": initializer}}


def model(name: str, *layers: dict[str, Any], class_name: str = "Functional") -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, "layers": list(layers)}}


def sequential(name: str, *layers: dict[str, Any]) -> dict[str, Any]:
    return model(name, *layers, class_name="Sequential")


def named(nested: dict[str, Any], *weights: str) -> list[tuple[str | None, str | None]]:
    """The address and the initializer of each weight of a nested model."""
    group = nested["config"]["name"]
    datasets = [Stored(f"{group}/{weight}", (4, 4), "float32") for weight in weights]
    found = name_legacy([LegacyGroup(group, weights)], datasets, model("outer", nested), "3.15.1")
    return [(one.layer, one.configured and one.configured.config["kernel_initializer"]) for one in found]


CASES = [
    (
        sequential("mid", dense("d", "zeros"), model("inner", dense("d", "ones"))),
        {"mid/d/kernel": ("mid/d", "zeros"), "d/kernel": ("mid/inner/d", "ones")},
    ),
    (
        model("mid", sequential("s", dense("d", "zeros")), model("inner", dense("d", "ones"))),
        {"s/d/kernel": ("mid/s/d", "zeros"), "d/kernel": ("mid/inner/d", "ones")},
    ),
    (
        model("mid", dense("d", "zeros"), sequential("s", dense("d", "ones"))),
        {"d/kernel": ("mid/d", "zeros"), "s/d/kernel": ("mid/s/d", "ones")},
    ),
    (
        model(
            "mid",
            model("f", dense("d", "zeros")),
            sequential("s", dense("d", "ones")),
            sequential("t", dense("d", "x")),
        ),
        {"d/kernel": ("mid/f/d", "zeros"), "s/d/kernel": ("mid/s/d", "ones"), "t/d/kernel": ("mid/t/d", "x")},
    ),
    # Keras 2 on TensorFlow 1 numbers the second scope of one name, whichever layer is built second.
    (
        model("mid", dense("d", "zeros"), model("inner", dense("d", "ones"))),
        {"d/kernel:0": ("mid/d", None), "d_1/kernel:0": ("mid/d", None)},
    ),
    (
        model("mid", model("f", dense("d", "zeros")), model("g", dense("d", "ones")), sequential("s", dense("d", "x"))),
        {"d/kernel": ("mid/d", None), "s/d/kernel": ("mid/s/d", "x")},
    ),
]


@pytest.mark.parametrize(("nested", "expected"), CASES)
def test_what_the_other_weights_leave_is_told_and_what_may_be_either_is_not(nested, expected):
    for weights in (list(expected), list(reversed(expected))):
        assert dict(zip(weights, named(nested, *weights), strict=True)) == expected


def test_a_name_that_only_one_layer_has_is_told_as_before():
    nested = model("mid", dense("a", "zeros"), model("inner", dense("b", "ones")))
    assert named(nested, "a/kernel", "b/kernel", "b_1/kernel") == [
        ("mid/a", "zeros"), ("mid/inner/b", "ones"), ("mid/inner/b", "ones"),
    ]  # fmt: skip


def test_a_layer_that_is_told_apart_has_a_bounded_name_too():
    nested = sequential("mid", dense("d", "zeros"), model("n" * 5000, dense("d", "ones")))
    with pytest.raises(UnsafeFileError, match="a layer's name has more than 4096 characters"):
        named(nested, "mid/d/kernel", "d/kernel")


def test_many_layers_of_one_name_are_read_in_less_than_squared_time():
    """20,000 of them would take a minute if each were held against each."""
    several = [sequential(f"s{number}", dense("d", "zeros")) for number in range(20_000)]
    weights = [f"s{number}/d/kernel" for number in range(20_000)] + ["d/kernel"]
    found = named(model("mid", *several), *weights)
    assert found[5] == ("mid/s5/d", "zeros")
    assert found[-1] == ("mid/d", None)
