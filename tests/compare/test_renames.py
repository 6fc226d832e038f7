"""A layer that is missing here and extra there, and the same, is told as a rename."""

from __future__ import annotations

import numpy as np
import pytest
from support import write_legacy

from weightkit import diff, open_weights
from weightkit.access.matching import match
from weightkit.compare.renames import with_renames
from weightkit.errors import RequestError

VALUES = np.random.default_rng(0).standard_normal((4, 3, 3)).astype("f4")
KEPT = {"kernel": VALUES[0]}
MOVED = {"kernel": VALUES[1], "bias": VALUES[2][0]}


def test_equal_values_under_another_name_are_a_rename(told):
    assert told({"a": KEPT, "old": MOVED}, {"new": MOVED, "a": KEPT}) == {
        "old/kernel": ("renamed", "renamed to new"),
        "old/bias": ("renamed", "renamed to new"),
    }


def test_a_rename_is_a_difference_and_has_a_sentence(files):
    found = diff(*files({"a": KEPT, "old": MOVED}, {"a": KEPT, "new": MOVED}))
    assert not found.equal
    assert found.summary() == "2 of 3 weights changed: 2 renamed"
    assert found.notes == ("layer old is renamed to new in the second",)


def test_layers_with_other_weights_are_no_rename(told):
    found = told({"a": KEPT, "old": MOVED}, {"a": KEPT, "new": {"kernel": VALUES[1]}})
    assert {path: status for path, (status, _) in found.items()} == {
        "old/kernel": "missing", "old/bias": "missing", "new/kernel": "extra",
    }  # fmt: skip


def test_of_several_the_one_with_the_same_values_is_chosen(told):
    others = {f"new_{n}x": {"kernel": VALUES[n]} for n in (3, 2, 1)}
    found = told({"a": KEPT, "old": {"kernel": VALUES[1]}}, {"a": KEPT, **others})
    assert found["old/kernel"] == ("renamed", "renamed to new_1x")
    assert {status for status, _ in found.values()} == {"renamed", "extra"}


def test_the_same_place_between_the_same_neighbors_is_a_rename_though_the_values_moved(tmp_path):
    from weightkit.compare.measures import EXACT  # noqa: PLC0415
    from weightkit.compare.weight_diffs import compared  # noqa: PLC0415

    trained = {"kernel": VALUES[1] + VALUES[3] * np.float32(0.01), "bias": MOVED["bias"]}
    first = {"a": KEPT, "old": MOVED, "z": KEPT}
    second = {"a": KEPT, "new": trained, "z": KEPT}
    paths = [write_legacy(tmp_path / name, layers) for name, layers in (("a.h5", first), ("b.h5", second))]
    with open_weights(paths[0]) as ours, open_weights(paths[1]) as theirs:
        assert ours.ordered
        found = {weight.path: (str(weight.status), weight.what) for weight in compared(ours, theirs, EXACT).changed()}
    assert found == {
        "old/kernel": ("differs", "perturbed, renamed to new"),
        "old/bias": ("renamed", "renamed to new"),
    }


def test_another_place_with_other_values_is_no_rename(told):
    found = told({"old": {"kernel": VALUES[1]}, "a": KEPT}, {"a": KEPT, "new": {"kernel": VALUES[2]}})
    assert {status for status, _ in found.values()} == {"missing", "extra"}


def test_a_file_where_every_layer_has_another_name_is_one_of_renames(told):
    found = told({"x": KEPT, "y": MOVED}, {"p": KEPT, "q": MOVED}, match="name")
    assert {path: what for path, (_, what) in found.items()} == {
        "x/kernel": "renamed to p", "y/kernel": "renamed to q", "y/bias": "renamed to q",
    }  # fmt: skip


ZEROS = np.zeros(3, "f4")


def test_a_weight_on_one_side_of_a_layer_that_is_on_both_is_no_rename(told):
    kernel = {"kernel": VALUES[0]}
    assert told({"a": kernel | {"bias": ZEROS}, "b": kernel}, {"a": kernel, "b": kernel | {"bias": ZEROS}}) == {
        "a/bias": ("missing", "missing"),
        "b/bias": ("extra", "extra"),
    }


@pytest.mark.parametrize("kept", ["first", "second"])
def test_a_layer_that_keeps_some_weights_under_its_name_was_not_renamed(told, kept):
    whole, part = {"kernel": VALUES[0], "bias": ZEROS}, {"kernel": VALUES[0]}
    sides = ({"a": whole}, {"a": part, "b": {"bias": ZEROS}})
    found = told(*(sides if kept == "first" else sides[::-1]))
    assert {status for status, _ in found.values()} == {"missing", "extra"}


def test_renames_are_looked_for_where_no_name_is_left(told):
    found = told({"x": KEPT, "y": {"kernel": VALUES[1]}}, {"p": KEPT, "q": {"kernel": VALUES[1]}})
    assert found == {"x/kernel": ("renamed", "renamed to p"), "y/kernel": ("renamed", "renamed to q")}


def test_where_no_name_is_left_the_order_of_layers_of_the_same_shapes_tells_renames_too(told):
    first = {"x": {"kernel": VALUES[0]}, "y": {"kernel": VALUES[1]}}
    moved = {"p": {"kernel": VALUES[0] + VALUES[2]}, "q": {"kernel": VALUES[1] * np.float32(0.5)}}
    assert told(first, moved)["y/kernel"] == ("differs", "scaled by 0.5, renamed to q")


def test_where_no_name_and_no_rename_is_found_the_refusal_stays(files):
    paths = files({"x": KEPT, "y": KEPT}, {"p": MOVED, "q": MOVED, "r": MOVED})
    with pytest.raises(RequestError, match="the weights cannot be matched"):
        diff(*paths)


def test_layers_that_are_tried_and_are_others_are_hardly_read(files):
    draw, count, size = np.random.default_rng(1), 6, 50_000
    sides = [{f"{side}{n}x": {"kernel": draw.random(size, "f4")} for n in range(count)} for side in "ab"]
    paths = files(*sides)
    read = []

    class Watched:
        def __init__(self, store):
            self.store, self.ordered = store, False

        def __iter__(self):
            return iter(self.store)

        def read(self, ref, span):
            read.append(span.stop - span.start)
            return self.store.read(ref, span)

    with open_weights(paths[0]) as ours, open_weights(paths[1]) as theirs:
        named = match(ours, theirs, "name")
        assert with_renames(named, Watched(ours), Watched(theirs)) is named
    assert len(read) == 2 * count  # each layer's start once, and not once for each layer of the other side
    assert sum(read) < size


@pytest.mark.parametrize("size", [1, 256, 257, 300_000])
def test_the_same_values_are_so_to_the_last_element(files, size):
    values = np.arange(size, dtype="f4")
    moved = np.append(values[:-1], np.float32(-1))
    for there, is_one in ((values, True), (moved, False)):
        paths = files({"a": KEPT, "old": {"kernel": values}}, {"new": {"kernel": there}, "a": KEPT})
        assert any(weight.is_renamed for weight in diff(*paths).weights) == is_one


def test_empty_weights_have_the_same_values(told):
    empty = {"kernel": np.zeros((0, 3), "f4")}
    assert told({"a": KEPT, "old": empty}, {"new": empty, "a": KEPT}) == {"old/kernel": ("renamed", "renamed to new")}


def test_automatic_names_are_no_renames(files):
    assert diff(*files({"dense_1": KEPT, "dense_2": MOVED}, {"dense_7": KEPT, "dense_8": MOVED})).equal


@pytest.mark.parametrize("complete", [True, False])
def test_a_match_without_leftovers_on_both_sides_stays_as_it_is(files, complete):
    paths = files({"a": KEPT}, {"a": KEPT} if complete else {"a": KEPT, "b": KEPT})
    with open_weights(paths[0]) as ours, open_weights(paths[1]) as theirs:
        found = match(ours, theirs)
        assert with_renames(found, ours, theirs) is found
