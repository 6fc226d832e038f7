"""While a model does not change, its layers compute and report once, not once per span."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit.access.edits.choose import plan_edit
from weightkit.access.edits.tiles import TILE
from weightkit.access.live.live_store import LiveStore
from weightkit.access.live.place import Place
from weightkit.access.ref import Kind, WeightRef
from weightkit.compare.value_comparison import compare
from weightkit.transforms.initializers.configured_initializer import own_initializer
from weightkit.transforms.reinitialize import Reinitialize

SIZE = 3 * TILE + 1


class Layer:
    """A layer as a live store sees it: it computes what it saves, and its configuration has initializers."""

    def __init__(self, number=0):
        self.number, self.computed, self.told = number, 0, 0

    def _obj_type(self):
        return "Layer"

    def save_own_variables(self, store):
        self.computed += 1
        store["0"] = np.arange(SIZE, dtype="f4") + self.number

    def get_config(self):
        self.told += 1
        return {"kernel_initializer": "ones", "bias_initializer": "zeros"}


def weight(number, name="kernel", size=SIZE):
    return WeightRef(
        f"layers/l{number}/{name}", f"l{number}", 0, name, (size,), np.dtype("f4"), Kind.PARAMETER, "Dense", True, None
    )


def store_of(*layers):
    places = {weight(number): Place(None, layer, "0") for number, layer in enumerate(layers)}
    return LiveStore("a model", "live model", places, ordered=True)


def test_a_comparison_has_each_value_computed_once_for_all_of_its_tiles():
    ours, theirs = [Layer(0), Layer(1)], [Layer(0), Layer(2)]
    first, second = store_of(*ours), store_of(*theirs)
    found = compare(first, second, list(zip(first, second, strict=True)))
    assert [pair.measures.changed for pair in found] == [0, SIZE]
    assert {layer.computed for layer in (*ours, *theirs)} == {1}


def test_two_values_are_kept_at_most():
    layers = [Layer(), Layer(), Layer()]
    store = store_of(*layers)
    with store.steady():
        for ref in (*store, *store):
            store.read(ref, slice(0, 1))
        assert len(store._steady._values) == 2
    assert [layer.computed for layer in layers] == [2, 2, 2]


def test_outside_of_it_a_value_is_that_of_the_moment_it_is_read():
    layer = Layer()
    store = store_of(layer)
    (ref,) = store
    with store.steady():
        assert store.read(ref, slice(0, 1)).tolist() == [0]
    layer.number = 5
    assert store.read(ref, slice(0, 1)).tolist() == [5]
    with pytest.raises(KeyError), store.steady():
        raise KeyError
    layer.number = 6
    assert store.read(ref, slice(0, 1)).tolist() == [6]


def test_a_plan_of_new_draws_asks_each_layer_once_for_its_configuration():
    layer = type("Dense", (Layer,), {"__module__": "keras.src.layers.core.dense"})()
    places = {weight(0, name, 4): Place(None, layer, name) for name in ("kernel", "bias")}
    store = LiveStore("a model", "live model", places, ordered=True)
    plan = plan_edit(store, Reinitialize(seed=7))
    assert len(plan.chosen) == 2
    assert layer.told == 1
    own_initializer(store, plan.chosen[0])
    assert layer.told == 2
