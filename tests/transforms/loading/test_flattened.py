"""A Dense after a Flatten: its rows follow the order in which the feature map was flattened."""

from __future__ import annotations

import numpy as np
import pytest
from loading_layers import converted, weights

from weightkit.errors import RequestError
from weightkit.transforms.loading import FlattenedMap, LayerFacts, flattened_map

SHAPE = (2, 3, 4)  # rows, columns, channels
UNITS = 5


def dense(order, shape=None, data_format=None):
    flattened = None if order is None else FlattenedMap(order, shape)
    return LayerFacts("Dense", {}, "3.15.1", "tensorflow", data_format, flattened)


@pytest.mark.parametrize("shape", [SHAPE, (6, 4), (2, 2, 3, 2)])
@pytest.mark.parametrize("first", [True, False])
def test_a_dense_gives_the_same_for_a_map_that_is_flattened_the_other_way(shape, first):
    rng = np.random.default_rng(3)
    image, kernel = rng.normal(size=shape), rng.normal(size=(np.prod(shape), UNITS)).astype("f4")
    flat = {"channels_last": image.ravel(), "channels_first": np.moveaxis(image, -1, 0).ravel()}
    before, after = ("channels_first", "channels_last") if first else ("channels_last", "channels_first")
    ours = weights("d", {"kernel": kernel.shape, "bias": (UNITS,)})
    arrays = {"kernel": kernel, "bias": np.zeros(UNITS, "f4")}
    values, steps, _ = converted(ours, arrays, source=dense(before, shape), target=dense(after))
    assert values.keys() == {"kernel"}
    assert np.allclose(flat[after] @ values["kernel"], flat[before] @ kernel)
    assert steps["kernel"] == f"rows put in the order of {after}"


def test_one_order_on_both_sides_needs_nothing():
    ours, arrays = weights("d", {"kernel": (24, 5)}), {"kernel": np.ones((24, 5), "f4")}
    for order in ("channels_first", "channels_last"):
        assert converted(ours, arrays, source=dense(order, SHAPE), target=dense(order))[::2] == ({}, ())


def test_a_map_of_another_size_is_refused():
    ours, arrays = weights("d", {"kernel": (25, 5)}), {"kernel": np.ones((25, 5), "f4")}
    with pytest.raises(RequestError, match=r"after a feature map of 2 \* 3 \* 4 must have 24 rows, got 25"):
        converted(ours, arrays, source=dense("channels_first", SHAPE), target=dense("channels_last"))


def test_what_the_shape_would_tell_is_said_where_it_is_not_known():
    ours, arrays = weights("d", {"kernel": (24, 5)}), {"kernel": np.ones((24, 5), "f4")}
    source, target = dense(None, None, "channels_first"), dense(None, None, "channels_last")
    values, _, notes = converted(ours, arrays, source=source, target=target)
    assert values == {}
    assert "if this Dense follows a Flatten, its rows are in another order" in notes[0]
    convolution = LayerFacts("Conv2D", {"data_format": "channels_first"}, "3.15.1")
    ours, arrays = weights("c", {"kernel": (3, 3, 2, 4)}), {"kernel": np.ones((3, 3, 2, 4), "f4")}
    assert converted(ours, arrays, source=convolution)[2] == ()


def sequential(*layers, era=3):
    entries = [{"class_name": kind, "config": {"name": name, **config}, **more} for kind, name, config, more in layers]
    return {"class_name": "Sequential", "config": entries if era == 1 else {"name": "m", "layers": entries}}


CONV = ("Conv2D", "c", {"data_format": "channels_last"}, {})
BUILT = {"build_config": {"input_shape": [None, *SHAPE]}}
FLATTEN = ("Flatten", "f", {"data_format": "channels_last"}, BUILT)
DENSE = ("Dense", "d", {}, {})


def test_the_map_is_found_in_a_sequential_model_of_keras_3():
    config = sequential(CONV, FLATTEN, ("Dropout", "o", {}, {}), DENSE)
    assert flattened_map(config, "d") == FlattenedMap("channels_last", SHAPE)


def test_the_shape_is_given_channels_last_whatever_it_is_in_the_model():
    conv = ("Conv2D", "c", {"data_format": "channels_first"}, {})
    flatten = ("Flatten", "f", {}, {"build_config": {"input_shape": [None, 4, 2, 3]}})
    assert flattened_map(sequential(conv, flatten, DENSE), "d") == FlattenedMap("channels_first", SHAPE)


def test_a_flatten_of_channels_first_itself_puts_them_last():
    conv = ("Conv2D", "c", {"data_format": "channels_first"}, {})
    flatten = ("Flatten", "f", {"data_format": "channels_first"}, {"build_config": {"input_shape": [None, 4, 2, 3]}})
    assert flattened_map(sequential(conv, flatten, DENSE), "d") == FlattenedMap("channels_last", SHAPE)


def test_keras_1_says_the_order_and_no_shape():
    conv = ("Convolution2D", "c", {"dim_ordering": "th"}, {})
    config = sequential(conv, ("MaxPooling2D", "p", {}, {}), ("Flatten", "f", {}, {}), DENSE, era=1)
    assert flattened_map(config, "d") == FlattenedMap("channels_first", None)


@pytest.mark.parametrize(
    "layers",
    [
        (CONV, DENSE),
        (CONV, FLATTEN, ("BatchNormalization", "b", {}, {}), DENSE),
        (CONV, FLATTEN, ("Dense", "e", {}, {}), DENSE),
        (DENSE,),
        (CONV, FLATTEN),
    ],
)
def test_a_dense_after_anything_else_has_no_map(layers):
    assert flattened_map(sequential(*layers), "d") is None


@pytest.mark.parametrize("config", [None, {}, {"config": 3}, {"config": {"layers": [3, {}, {"config": None}]}}])
def test_a_configuration_without_layers_has_none(config):
    assert flattened_map(config, "d") is None


def functional(nodes):
    """Layers with ``inbound_nodes`` as an era writes them."""
    named = (CONV, FLATTEN, DENSE)
    entries = [
        {"class_name": kind, "name": name, "config": {"name": name, **config}, **more, "inbound_nodes": nodes(before)}
        for (kind, name, config, more), before in zip(named, (None, "c", "f"), strict=True)
    ]
    return {"class_name": "Functional", "config": {"name": "m", "layers": entries}}


def of_keras_2(before):
    return [] if before is None else [[[before, 0, 0, {}]]]


def of_keras_3(before):
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "keras_history": [before, 0, 0]}}
    return [] if before is None else [{"args": [tensor], "kwargs": {}}]


@pytest.mark.parametrize("nodes", [of_keras_2, of_keras_3])
def test_the_map_is_found_in_a_functional_model_of_any_era(nodes):
    assert flattened_map(functional(nodes), "d") == FlattenedMap("channels_last", SHAPE)


def test_a_circle_of_layers_ends():
    assert flattened_map(functional(lambda _: of_keras_2("d")), "d") is None
