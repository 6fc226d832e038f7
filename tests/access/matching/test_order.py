"""Layers by order alone, and by looks alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weightkit.access.matching.align import Ordered
from weightkit.access.matching.layer_tree import by_name
from weightkit.access.matching.order import by_look, by_order

BOTH = Ordered(ours=True, theirs=True)


@pytest.fixture
def tree(dense):
    """A model of Dense layers; those without a shape have (2, 2)."""
    return lambda *layers, **shapes: by_name(dense(dict.fromkeys(layers, (2, 2)) | shapes))


def test_the_first_layer_is_the_first_whatever_the_names(tree, layers_of):
    assert layers_of(by_order(tree("a", "b"), tree("x", "y"), BOTH)) == {"a": "x", "b": "y"}


def test_nested_layers_count_in_their_place(tree, dense, layers_of):
    nested = (replace(ref, trainable=True) for ref in dense(dict.fromkeys(["m/a", "m/b", "c"], (2, 2))))
    pairs = by_order(by_name(nested), tree("x", "y", "z"), BOTH)
    assert layers_of(pairs) == {"m/a": "x", "m/b": "y", "c": "z"}


def test_without_a_known_order_on_both_sides_nothing_is_paired(tree):
    ours, theirs = tree("a", "b"), tree("x", "y")
    for ordered in (Ordered(), Ordered(ours=True), Ordered(theirs=True)):
        assert by_order(ours, theirs, ordered) == {}


def test_all_layers_must_look_the_same(tree):
    assert by_order(tree("a", b=(2, 3)), tree("x", y=(3, 2)), BOTH) == {}
    assert by_order(tree("a", "b"), tree("x"), BOTH) == {}


def test_a_name_on_both_sides_at_another_place_forbids_it(tree, layers_of):
    """Keras would load the values of one layer into the other without a word."""
    assert by_order(tree("a", "b", "c"), tree("b", "a", "x"), BOTH) == {}
    assert layers_of(by_order(tree("a", "b"), tree("x", "b"), BOTH)) == {"a": "x", "b": "b"}


def test_a_nested_model_of_a_legacy_file_that_may_be_sorted_by_flags_has_no_order(dense):
    def model(*flags):
        refs = dense({"m/a": (2, 2), "m/b": (2, 2)})
        return by_name(replace(ref, trainable=flags[i // 2]) for i, ref in enumerate(refs))

    ours = by_name(dense({"x": (2, 2), "y": (2, 2)}))
    assert by_order(ours, model(False, True), BOTH) == {}
    assert len(by_order(ours, model(True, True), BOTH)) == 4


def test_weights_with_other_names_go_by_their_shapes_if_these_are_unique(weight, dense):
    ours = by_name(dense({"a": (2, 3)}))
    theirs = by_name([weight("x/offset", (3,), index=1), weight("x/matrix", (2, 3), index=0)])
    assert {a.name: b.name for a, b in by_order(ours, theirs, BOTH).items()} == {"kernel": "matrix", "bias": "offset"}
    same = by_name([weight("x/gain", (3,)), weight("x/offset", (3,))])
    norm = by_name([weight("a/gamma", (3,)), weight("a/beta", (3,))])
    assert by_order(norm, same, BOTH) == {}


def test_looks_decide_only_where_no_two_layers_look_the_same(tree, layers_of):
    assert layers_of(by_look(tree("a", b=(2, 3)), tree("x", y=(2, 3)))) == {"a": "x", "b": "y"}
    assert by_look(tree("a", "b"), tree("x", "y")) == {}
    assert by_look(tree("a"), tree("x", "y")) == {}
    assert by_look(tree("a", b=(2, 3)), tree("x")) == {}
