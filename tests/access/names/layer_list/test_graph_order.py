"""The order of a Functional model's layers, against Keras."""

from __future__ import annotations

import copy
import json
import os
import random
import warnings
from typing import Any

import pytest

from weightkit.access.names.layer_list.graph_order import graph_order

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def chain() -> Any:
    x = y = keras.Input((4,))
    for name in "dbca":
        y = layers.Dense(4, name=name)(y)
    return keras.Model(x, y)


def branches() -> Any:
    """Branches of several lengths, two outputs, one of them on the way to the other."""
    x, z = keras.Input((4,)), keras.Input((4,))
    left = layers.Dense(4, name="z")(layers.Dense(4, name="m")(x))
    right = layers.Dense(4, name="a")(z)
    middle = layers.Dense(4, name="k")(x)
    joined = layers.Concatenate()([right, left, middle])
    return keras.Model([x, z], {"late": layers.Dense(2, name="head")(joined), "early": left})


def shared() -> Any:
    """A layer that is called three times, and one whose only input is a keyword."""
    x = keras.Input((3, 4))
    dense = layers.Dense(4, name="shared")
    other = layers.Dense(4, name="other")
    y = dense(other(dense(x)))
    y = layers.MultiHeadAttention(1, 2, name="attention")(y, value=dense(y), key=layers.Dense(4, name="key")(x))
    return keras.Model(x, y)


def nested() -> Any:
    inner = branches()
    x, z = keras.Input((4,)), keras.Input((4,))
    found = inner([layers.Dense(4, name="first")(x), z])
    again = inner([z, layers.Dense(4, name="second")(found["early"])])
    return keras.Model([x, z], [again["late"], found["late"]])


@pytest.mark.parametrize("make", [chain, branches, shared, nested])
def test_the_order_is_that_of_the_model_that_keras_builds(make: Any) -> None:
    config = json.loads(make().to_json())["config"]
    for seed in range(6):
        random.Random(seed).shuffle(config["layers"])  # noqa: S311
        try:
            built = keras.Model.from_config(copy.deepcopy(config))
        except (IndexError, ValueError):  # Keras builds some lists in no order
            continue
        assert graph_order(config) == [one.name for one in built.operations]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"layers": [], "output_layers": []},
        {"layers": [{"name": "a", "inbound_nodes": [[["b", 0, 0, {}]]]}], "output_layers": [["a", 0, 0]]},
        {"layers": [{"name": "a", "inbound_nodes": []}], "output_layers": [["b", 0, 0]]},
        {"layers": [3], "output_layers": [["a", 0, 0]]},
        {"layers": [{"name": "a", "inbound_nodes": [3]}], "output_layers": [["a", 0, 0]]},
    ],
)
def test_a_graph_that_cannot_be_read_has_no_order(config: dict[str, Any]) -> None:
    assert graph_order(config) is None


def test_a_circle_has_no_order() -> None:
    def layer(name: str, above: str) -> dict[str, Any]:
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [above, 0, 0]}}
        return {"name": name, "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}

    assert graph_order({"layers": [layer("a", "b"), layer("b", "a")], "output_layers": ["a", 0, 0]}) is None


def test_a_deep_graph_does_not_end_the_stack() -> None:
    names = [f"layer_{i}" for i in range(20_000)]
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}} for name in names]
    found = [{"name": names[0], "inbound_nodes": []}]
    found += [{"name": n, "inbound_nodes": [{"args": [t]}]} for n, t in zip(names[1:], tensors, strict=False)]
    assert graph_order({"layers": found, "output_layers": [names[-1], 0, 0]}) == names
