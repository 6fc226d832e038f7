"""Names of the weights of weightkit's own layers and parametrizations, which nobody else's class of that name gets."""

from __future__ import annotations

from typing import Any

import pytest

from weightkit.access.names import wrapper
from weightkit.access.names.class_table import own_table
from weightkit.access.names.legacy.names import LegacyGroup, name_legacy
from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind

F = "float32"


def serialized(class_name: str, package: str = "weightkit", **config: Any) -> dict[str, Any]:
    return {
        "module": f"{package}.layers",
        "class_name": class_name,
        "config": config,
        "registered_name": f"{package}>{class_name}",
    }


def computed(*steps: Any, package: str = "weightkit", label: str = "kernel", **config: Any) -> dict[str, Any]:
    inside = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "dtype": F}}
    targets = config.pop("targets", {"name:kernel": {"vars/0": label}})
    weights = {"name:kernel": list(steps)}
    return serialized("Parametrized", package, name="d", layer=inside, targets=targets, weights=weights, **config)


def named(layer: Any, *own: tuple[int, ...], inside: tuple[tuple[int, ...], ...] = ()) -> list[Naming]:
    """The only layer of a model, from the shapes of its own arrays and of those of the layer inside."""
    config = {"name": "model", "layers": [layer]}
    model = {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}
    path = "layers/" + {"Parametrized": "parametrized", "FiLM": "fi_lm"}.get(
        layer["class_name"], layer["class_name"].lower()
    )
    stored = [Stored(f"{path}/vars/{i}", shape, F) for i, shape in enumerate(own)]
    stored += [Stored(f"{path}/layer/vars/{i}", shape, F) for i, shape in enumerate(inside)]
    return name_objects(stored, {}, model)[0]


def names(found: list[Naming]) -> list[str | None]:
    return [one.name for one in found]


@pytest.mark.parametrize(
    ("use_bias", "expected"), [(True, ["kernel", "bias"]), (False, ["kernel"]), (None, ["kernel", "bias"])]
)
def test_a_layer_s_flags_say_what_it_saves_and_a_missing_one_takes_the_default(use_bias, expected):
    config = {} if use_bias is None else {"use_bias": use_bias}
    maxout = serialized("Maxout", name="m", **config)
    shapes = [(4, 6), (6,)][: len(expected)]
    assert names(named(maxout, *shapes)) == expected


def test_arrays_of_other_sizes_than_the_table_s_are_not_named():
    assert names(named(serialized("Maxout", name="m"), (4, 6), (5,))) == [None, None]


def test_a_layer_of_somebody_else_s_by_the_same_name_is_not_named():
    assert names(named(serialized("Maxout", "mine", name="m"), (4, 6), (6,))) == [None, None]


STEPS = [
    (serialized("WeightNorm"), [(1, 3)], {"kernel_g": Kind.PARAMETER}),
    (serialized("SpectralNorm"), [(3,)], {"kernel_u": Kind.STATISTIC}),
    (serialized("Mask", mask=None), [(4, 3)], {"kernel_mask": Kind.STATE}),
    (
        serialized("Held", entries="[0]"),
        [(4, 3), (4, 1)],
        dict.fromkeys(("kernel_held", "kernel_held_mask"), Kind.STATE),
    ),
    (serialized("StandardizedWeight", gain=True), [(1, 3)], {"kernel_gain": Kind.PARAMETER}),
    (serialized("StandardizedWeight", gain=False), [], {}),
    (
        serialized("LowRank", rank=2, magnitude=True),
        [(4, 2), (2, 3), (3,)],
        dict.fromkeys(("lora_kernel_a", "lora_kernel_b", "lora_kernel_magnitude"), Kind.PARAMETER),
    ),
]


@pytest.mark.parametrize(("step", "own", "expected"), STEPS)
def test_a_parametrization_s_weights_have_names_and_kinds(step, own, expected):
    found = named(computed(step), *own, inside=((4, 3), (3,)))
    kinds = {one.name: one.kind for one in found}
    assert kinds == {**expected, "kernel": Kind.PARAMETER, "bias": Kind.PARAMETER}


def test_trained_weights_come_first_and_sizes_of_several_steps_are_independent():
    steps = [serialized("SpectralNorm"), serialized("WeightNorm"), serialized("LowRank", rank=3)]
    found = named(computed(*steps, label="k_1"), (1, 3), (4, 3), (3, 3), (3,), inside=((4, 3), (3,)))
    assert names(found)[:4] == ["k_1_g", "lora_k_1_a", "lora_k_1_b", "k_1_u"]


def test_low_rank_factors_of_shapes_that_do_not_multiply_are_not_named():
    found = named(computed(serialized("LowRank", rank=2)), (4, 2), (5, 3), inside=((4, 3), (3,)))
    assert names(found)[:2] == [None, None]


@pytest.mark.parametrize(("freeze", "trainable"), [({}, False), ({"freeze": True}, False), ({"freeze": False}, None)])
def test_what_low_rank_factors_adapt_is_frozen_unless_they_say_otherwise(freeze, trainable):
    found = named(computed(serialized("LowRank", rank=2, **freeze)), (4, 2), (2, 3), inside=((4, 3), (3,)))
    [kernel] = [one for one in found if one.name == "kernel"]
    assert kernel.trainable is trainable or (trainable is None and kernel.trainable is not False)


def test_a_tied_weight_is_not_in_the_file():
    assert names(named(computed(serialized("Tied", other="e")), inside=((3,),))) == ["bias"]


def test_a_tied_weight_s_number_of_5000_digits_is_none():
    targets = {"name:kernel": {"vars/" + "1" * 5000: "kernel"}}
    assert names(named(computed(serialized("Tied", other="e"), targets=targets), inside=((3, 4), (4,)))) == [
        "kernel",
        "bias",
    ]


@pytest.mark.parametrize("class_name", sorted(own_table().parametrizations))
def test_a_parametrization_of_somebody_else_s_by_the_same_name_says_nothing(class_name):
    config = computed(serialized(class_name, "mine", rank=2))["config"]
    assert wrapper.added_weights(config) is None
    assert wrapper.inner_of(config) == wrapper.Inner(frozenset(), frozenset())


def test_a_wrapper_of_somebody_else_s_by_the_same_name_is_not_named():
    found = named(computed(serialized("WeightNorm"), package="mine"), (1, 3), inside=((4, 3), (3,)))
    assert "kernel_g" not in names(found)


@pytest.mark.parametrize(
    ("name", "kind"), [("kernel_u", Kind.STATISTIC), ("kernel_mask", Kind.STATE), ("kernel_g", Kind.PARAMETER)]
)
def test_a_variable_s_ending_tells_its_kind_in_a_wrapper(name, kind):
    assert wrapper.kind_in_wrapper(name) is kind


@pytest.mark.parametrize("scope", ["d", "d/d"])  # as weightkit names what is inside now, and as it once did
def test_a_legacy_group_of_a_wrapper_holds_its_own_weights_and_those_of_the_layer_inside(scope):
    layer = computed(serialized("LowRank", rank=2))
    model = {"class_name": "Functional", "config": {"name": "model", "layers": [layer]}}
    weights = {"d/lora_kernel_a": (4, 2), "d/lora_kernel_b": (2, 6), f"{scope}/kernel": (4, 6), f"{scope}/bias": (6,)}
    stored = [Stored(f"d/{name}", shape, F) for name, shape in weights.items()]
    found = name_legacy([LegacyGroup("d", tuple(weights))], stored, model, "3.15.0")
    assert [(one.layer, one.name, one.layer_class) for one in found] == [
        ("d", "lora_kernel_a", "Parametrized"),
        ("d", "lora_kernel_b", "Parametrized"),
        ("d/d", "kernel", "Dense"),
        ("d/d", "bias", "Dense"),
    ]
