"""The paths under which Keras looks for an object that it saved under the first of them."""

from __future__ import annotations

import itertools

import h5py
import numpy as np
import pytest

from weightkit.access.live.other_paths import OtherPaths


class _Thing:
    """Something with an identity."""


@pytest.fixture
def things():
    return [_Thing() for _ in range(4)]


def test_an_object_that_is_reached_once_has_no_other_path(things):
    model, layer, *_ = things
    paths = OtherPaths()
    paths.add(layer, model, "layers/dense")
    assert paths.of(layer) == ()


def test_each_way_to_an_object_is_one_to_all_that_is_in_it(things):
    model, block, conv, _ = things
    paths = OtherPaths()
    for thing, around, step in (
        (block, model, "block"), (conv, block, "conv"), (conv, block, "layers/conv2d"), (block, model, "layers/block"),
    ):  # fmt: skip
        paths.add(thing, around, step)
    assert paths.of(block) == ("layers/block",)
    assert paths.of(conv) == ("layers/block/conv", "block/layers/conv2d", "layers/block/layers/conv2d")


def test_private_attributes_are_no_other_path(things):
    model, layer, *_ = things
    paths = OtherPaths()
    paths.add(layer, model, "_dense")
    paths.add(layer, model, "_again")
    assert paths.of(layer) == ()


def test_a_private_attribute_that_became_public_is_one(things):
    """Keras 2.15 saves the ``_query_dense`` of a MultiHeadAttention, Keras 3 its ``query_dense``, and loads both."""
    model, layer, *_ = things
    paths = OtherPaths()
    for step in ("query_dense", "_again", "_query_dense"):
        paths.add(layer, model, step)
    assert paths.of(layer) == ("_query_dense",)


def test_objects_that_hold_each_other_end(things):
    model, layer, *_ = things
    paths = OtherPaths()
    paths.add(layer, model, "layer")
    paths.add(model, layer, "parent")
    paths.add(layer, model, "layers/layer")
    assert all(path.count("/") < 4 for path in paths.of(layer))


def test_many_ways_on_many_levels_are_cut_off(things):
    paths = OtherPaths()
    for around, thing in itertools.pairwise(things):
        for way in range(10):
            paths.add(thing, around, f"way_{way}")
    assert len(paths.of(things[-1])) == 7


@pytest.mark.every_backend
def test_a_file_of_keras_2_15_is_found_under_the_places_of_classes(tmp_path):
    """Keras 3 loads it; the attributes of the blocks are called otherwise than the classes of their layers."""
    import keras  # noqa: PLC0415

    from weightkit import open_weights  # noqa: PLC0415
    from weightkit.access.matching import match  # noqa: PLC0415

    class Block(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.alpha = keras.layers.Dense(3), keras.layers.Dense(3)

        def call(self, inputs):
            return self.alpha(self.first(inputs))

    model = keras.Sequential([keras.Input((3,)), Block(), Block()])
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        for block in ("block", "block_1"):
            for turn, layer in enumerate(("dense", "dense_1")):
                for n, shape in enumerate([(3, 3), (3,)]):
                    values = np.full(shape, 10 * (block == "block_1") + turn + 1, "f4")
                    file[f"layers/{block}/layers/{layer}/vars/{n}"] = values
    with open_weights(model) as ours, open_weights(path) as theirs:
        found = match(ours, theirs)
        assert (found.by, found.fits) == ("structure", True)
        loaded = {a.structure: float(theirs.read(b).flat[0]) for a, b in found.pairs.items()}
    model.load_weights(path)
    with open_weights(model) as ours:
        assert loaded == {ref.structure: float(ours.read(ref).flat[0]) for ref in ours}
