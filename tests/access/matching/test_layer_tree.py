"""Weights as a tree of layers."""

from __future__ import annotations

from dataclasses import replace

from weightkit.access.matching.layer_tree import address, by_name, is_given
from weightkit.access.matching.match import match


def test_an_address_is_the_names_of_the_layers_and_the_weights_own(weight):
    assert address(weight("encoder/dense_1/kernel")) == ("encoder", "dense_1", "kernel")


def test_without_a_name_an_address_is_the_formats_path(weight):
    ref = weight("d/kernel", structure="layers/dense/vars/0", named=False)
    assert address(ref) == ("layers", "dense", "vars", "0")


def test_a_weight_without_a_name_in_a_named_layer_goes_by_its_place(weight):
    assert address(replace(weight("bn/x", index=3), name=None)) == ("bn", "[3]")


def test_duplicates_are_told_apart(weight):
    assert address(replace(weight("d/kernel"), duplicate=2)) == ("d", "kernel#2")


def test_layers_keep_the_order_of_the_store_and_hold_what_is_below_them(dense):
    root = by_name(dense({"b": (2, 2), "a/dense": (2, 3), "a/dense_1": (3, 2)}))
    assert list(root.layers) == ["b", "a"]
    assert list(root.layers["a"].layers) == ["dense", "dense_1"]
    assert len(list(root.refs())) == 6
    assert root.layers["b"].layer_class == "Dense"


def test_a_signature_sees_shapes_and_given_names_and_no_automatic_numbers(dense):
    def signature(layers):
        return by_name(dense(layers)).signature

    assert signature({"e/dense": (2, 3)}) == signature({"e/dense_4": (2, 3)})
    assert signature({"e/dense": (2, 3)}) != signature({"e/dense": (3, 2)})
    assert signature({"e/head": (2, 3)}) != signature({"e/tail": (2, 3)})


def test_given_are_addresses_with_no_automatic_name_in_them(weight):
    assert is_given(weight("encoder/head/kernel"))
    assert not is_given(weight("encoder/dense_1/kernel"))
    assert not is_given(weight("head/kernel", named=False))


def test_the_deepest_address_that_a_file_may_have_matches_itself(weight):
    deep = "/".join("a" * 127)
    refs = [weight(f"{deep}/kernel"), weight(f"{deep}/bias")]
    assert match(refs, refs, "name").pairs == {ref: ref for ref in refs}
