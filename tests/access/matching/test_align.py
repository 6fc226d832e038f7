"""Layers by given names, and automatic ones by their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weightkit.access.matching.align import Ordered, aligned
from weightkit.access.matching.layer_tree import Layer, by_name


@pytest.fixture
def matched(dense, layers_of):
    """The paired layers of two architectures."""

    def match(ours, theirs, ordered=()):
        def tree(layers):
            return by_name(dense(dict.fromkeys(layers, (2, 2)) if not isinstance(layers, dict) else layers))

        return layers_of(aligned(tree(ours), tree(theirs), Ordered(*ordered)))

    return match


def test_given_names_are_taken_at_their_word_wherever_they_stand(matched):
    assert matched(["a", "b"], ["b", "a", "c"]) == {"a": "a", "b": "b"}


def test_the_same_architecture_built_twice_is_matched_in_order(matched):
    assert matched(["dense", "dense_1"], ["dense_2", "dense_3"]) == {"dense": "dense_2", "dense_1": "dense_3"}


def test_automatic_numbers_that_overlap_in_part_are_no_names(matched):
    assert matched(["dense", "dense_1"], ["dense_1", "dense_2"]) == {"dense": "dense_1", "dense_1": "dense_2"}


def test_the_same_automatic_names_in_another_order_are_taken_at_their_word(matched):
    """A legacy file stores a nested model's weights trainable first, whatever the order of its layers."""
    assert matched(["e/dense", "e/dense_1"], ["e/dense_1", "e/dense"]) == {
        "e/dense": "e/dense",
        "e/dense_1": "e/dense_1",
    }


def test_where_both_stores_are_in_order_automatic_numbers_say_nothing(matched):
    """Keras loads by the order of the layers; the numbers in the names do not matter."""
    both = (True, True)
    in_order = {"dense": "dense_1", "dense_1": "dense"}
    assert matched(["dense", "dense_1"], ["dense_1", "dense"], both) == in_order
    assert matched(["dense", "dense_1"], ["dense_3", "dense_2"], both) == {"dense": "dense_3", "dense_1": "dense_2"}
    assert matched(["dense", "dense_1"], ["dense_1", "dense"], (True, False)) == {
        "dense": "dense",
        "dense_1": "dense_1",
    }


def test_in_a_nested_model_the_same_automatic_names_go_before_the_order(matched):
    both = (True, True)
    assert matched(["e/dense", "e/dense_1"], ["e/dense_1", "e/dense"], both) == {
        "e/dense": "e/dense",
        "e/dense_1": "e/dense_1",
    }


def test_the_numbers_of_the_format_are_an_order_too(dense, layers_of):
    def stored(*names):
        keys = ("dense", "dense_1")
        return by_name(
            replace(ref, structure=f"layers/{key}/vars/{ref.index}")
            for key, name in zip(keys, names, strict=True)
            for ref in dense({name: (2, 2)})
        )

    pairs = aligned(stored("dense", "dense_1"), stored("dense_3", "dense_2"))
    assert layers_of(pairs) == {"dense": "dense_3", "dense_1": "dense_2"}


def test_numbers_beyond_nine_are_sorted_as_numbers(matched):
    ours, theirs = [f"dense_{n}" for n in range(1, 13)], [f"dense_{n}" for n in range(21, 33)]
    assert matched(ours, sorted(theirs)) == dict(zip(ours, theirs, strict=True))


def test_where_numbers_do_not_fit_the_shapes_the_order_of_the_store_does(matched):
    ours = {"dense_2": (2, 3), "dense_1": (3, 4)}
    theirs = {"dense_5": (2, 3), "dense_6": (3, 4)}
    assert matched(ours, theirs) == {"dense_2": "dense_5", "dense_1": "dense_6"}


def test_layers_in_models_with_automatic_names_are_matched(matched):
    assert matched(["sequential/dense", "model_1/head"], ["sequential_4/dense_9", "functional/head"]) == {
        "sequential/dense": "sequential_4/dense_9",
        "model_1/head": "functional/head",
    }


def test_an_inserted_layer_leaves_those_that_look_the_same_together(matched):
    ours = {"dense": (8, 4), "dense_1": (4, 2)}
    theirs = {"dense_5": (8, 4), "dense_6": (4, 4), "dense_7": (4, 2)}
    assert matched(ours, theirs) == {"dense": "dense_5", "dense_1": "dense_7"}


def test_another_head_is_still_the_head(matched):
    ours = {"dense": (8, 4), "dense_1": (4, 2)}
    theirs = {"dense_2": (8, 4), "dense_3": (4, 10)}
    assert matched(ours, theirs) == {"dense": "dense_2", "dense_1": "dense_3"}


def test_layers_of_different_classes_are_never_each_others(matched):
    assert matched(["dense_1"], ["lstm_1"]) == {}


def test_weights_without_names_are_matched_by_their_order_where_all_shapes_agree(dense):
    ours = dense({"d": (2, 3)})
    theirs = [replace(ref, name=None) for ref in reversed(ours)]
    pairs = dict(aligned(by_name(ours), by_name(theirs)))
    assert {a.index: b.index for a, b in pairs.items()} == {0: 0, 1: 1}
    assert dict(aligned(by_name(ours), by_name(theirs[:1]))) == {}


def test_a_model_in_a_model_in_a_model_is_not_walked_at_each_level(dense, monkeypatch):
    walked = []
    refs = Layer.refs
    monkeypatch.setattr(Layer, "refs", lambda layer: walked.append(layer) or refs(layer))
    deep = "/".join(f"level{number}" for number in range(100))
    ours, theirs = (by_name(dense({f"{deep}/a": (2, 2)})) for _ in range(2))
    assert [(ref.path, other.path) for ref, other in aligned(ours, theirs)] == [
        (f"{deep}/a/{name}",) * 2 for name in ("kernel", "bias")
    ]
    assert walked == []


def test_a_layer_that_holds_only_one_other_is_seen_through(matched):
    cell, plain = "lstm_4/lstm_cell", "lstm_2"
    assert matched([cell, "a"], [plain, "a"]) == {cell: plain, "a": "a"}
    assert matched([plain, "a"], [cell, "a"]) == {plain: cell, "a": "a"}


def test_a_layer_that_lists_the_weights_of_its_cells_as_its_own_is_matched_in_order(weight):
    """As Keras 2.1 to 2.3 do; both stores must know the order, and names and shapes agree."""
    looks = [("kernel", (2, 8)), ("bias", (8,)), ("kernel", (2, 6)), ("bias", (6,))]
    own = ("lstm_cell", "lstm_cell", "gru_cell", "gru_cell")
    cells = [weight(f"s/cells/{cell}/{name}", shape) for cell, (name, shape) in zip(own, looks, strict=True)]
    names = ("kernel", "bias", "kernel_1", "bias_1")
    joined = [weight(f"s/{name}", shape) for name, (_, shape) in zip(names, looks, strict=True)]
    for ours, theirs in ((cells, joined), (joined, cells)):
        known = dict(aligned(by_name(ours), by_name(theirs), Ordered(ours=True, theirs=True)))
        assert known == dict(zip(ours, theirs, strict=True))
        assert dict(aligned(by_name(ours), by_name(theirs), Ordered(ours=True))) == {}
        assert dict(aligned(by_name(ours), by_name(theirs[::-1]), Ordered(ours=True, theirs=True))) == {}


def test_other_layers_are_no_cells_of_one_that_has_their_weights(weight):
    ours = [weight("a/kernel", (2, 2)), weight("a/bias", (2,))]
    theirs = [weight("a/kernel", (2, 2)), weight("dense/bias", (2,))]
    whole, part = by_name(theirs), by_name(ours).layers["a"]
    assert dict(aligned(part, whole, Ordered(ours=True, theirs=True))) == {}


def test_a_wrapper_around_the_whole_model_is_seen_through_however_deep(matched):
    flat = ["conv_a", "conv_b"]
    for around in ("model_1", "model_1/backbone"):
        nested = [f"{around}/{name}" for name in flat]
        assert matched(nested, flat) == dict(zip(nested, flat, strict=True))
        assert matched(flat, nested) == dict(zip(flat, nested, strict=True))


def test_models_of_automatic_names_in_a_nested_model_are_left_out_where_the_other_side_does_not_say_them(matched):
    """Legacy weights alone list the layers of a nested model flat, those that are trained first."""
    flat = ["m/dense_1", "m/deep", "m/dense"]
    for way in (["sequential_2"], ["sequential_2", "functional_3"]):
        inner = "/".join(["m", *way])
        nested = ["m/dense_14", f"{inner}/dense_13", f"{inner}/deep"]
        pairs = {"m/dense_14": "m/dense_1", f"{inner}/dense_13": "m/dense", f"{inner}/deep": "m/deep"}
        assert matched(nested, flat) == pairs
        assert matched(flat, nested) == {theirs: ours for ours, theirs in pairs.items()}


def test_models_with_layers_of_one_name_stay_apart(matched):
    nested = ["m/a/one", "m/sequential/same", "m/sequential_1/same"]
    assert matched(nested, ["m/a/one", "m/same"]) == {"m/a/one": "m/a/one"}


def test_a_model_of_one_layer_is_not_seen_through_beyond_that_layer(matched):
    assert matched(["backbone/conv_a"], ["conv_a", "conv_b"]) == {"backbone/conv_a": "conv_a"}


def test_layers_that_one_side_names_only_by_class_are_told_by_their_looks(matched):
    named, keyed = {"m/a": (2, 2), "m/b": (2, 3)}, {"m/dense": (2, 3), "m/dense_1": (2, 2)}
    assert matched(named, keyed) == {"m/a": "m/dense_1", "m/b": "m/dense"}
    assert matched({"m/a": (2, 2), "m/b": (2, 2)}, {"m/dense": (2, 2), "m/dense_1": (2, 2)}) == {}


def test_a_given_name_of_both_sides_is_no_automatic_name_of_a_class_of_one(dense, layers_of):
    """A Dense ``block_1`` given by hand, and a new ``Block`` named ``block`` by Keras."""
    new = [replace(ref, around=("Block", "Dense")) for ref in dense({"block/dense": (2, 2)})]
    for ours, theirs in (([], new), (new, [])):
        own, other = ([*dense({"block_1": (2, 2)}), *more] for more in (ours, theirs))
        assert layers_of(aligned(by_name(own), by_name(other))) == {"block_1": "block_1"}


def test_a_given_name_of_a_layer_of_known_class_is_no_automatic_name_of_another_class(dense, layers_of):
    ours = [replace(ref, around=("Block", "Dense")) for ref in dense(dict.fromkeys(["block_1/dense", "x"], (2, 2)))]
    theirs = [replace(ref, around=("Dense",)) for ref in dense(dict.fromkeys(["block", "x"], (2, 2)))]
    ours, theirs = ours + dense({"y": (2, 3)}), theirs + dense({"z": (2, 4)})
    assert layers_of(aligned(by_name(ours), by_name(theirs))) == {"x": "x"}
