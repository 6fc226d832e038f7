"""One layer in a nested model on one side, at the top on the other."""

from __future__ import annotations

import pytest

from weightkit.access.matching.elsewhere import elsewhere
from weightkit.access.matching.layer_tree import by_name


@pytest.fixture
def found(dense, layers_of):
    """The paired layers of two models."""

    def match(ours, theirs, pairs=None):
        first, second = (by_name(dense(dict.fromkeys(layers, (2, 2)))) for layers in (ours, theirs))
        return layers_of(elsewhere(first, second, pairs or {}))

    return match


def test_nested_and_flat_layers_of_one_name_are_paired_both_ways(found):
    nested, flat = ["model_1/conv_a", "model_1/conv_b", "head"], ["conv_a", "conv_b", "top"]
    pairs = {"model_1/conv_a": "conv_a", "model_1/conv_b": "conv_b"}
    assert found(nested, flat) == pairs
    assert found(flat, nested) == {theirs: ours for ours, theirs in pairs.items()}


def test_a_given_name_around_may_be_missing_but_is_never_another(found):
    assert found(["encoder/block/conv_a"], ["encoder/conv_a"]) == {"encoder/block/conv_a": "encoder/conv_a"}
    assert found(["encoder/conv_a"], ["decoder/conv_a"]) == {}


def test_automatic_names_around_are_no_names(found):
    assert found(["model_1/conv_a"], ["functional_3/sequential/conv_a"]) == {
        "model_1/conv_a": "functional_3/sequential/conv_a"
    }


def test_a_name_in_two_places_is_not_guessed(found):
    assert found(["left/conv_a", "right/conv_a"], ["conv_a"]) == {}
    assert found(["conv_a"], ["left/conv_a", "right/conv_a"]) == {}


def test_an_automatic_name_alone_says_nothing(found):
    assert found(["model_1/dense"], ["dense"]) == {}
    assert found(["model_1/head/dense"], ["head/dense"]) == {"model_1/head/dense": "head/dense"}


def test_layers_with_other_weights_are_not_paired(dense, weight):
    other = by_name([weight("model_1/a/kernel", (2, 2))])
    assert list(elsewhere(by_name(dense({"a": (2, 2)})), other, {})) == []


def test_what_is_paired_already_stays_as_it_is(dense):
    refs = dense({"model_1/a": (2, 2)})
    assert list(elsewhere(by_name(refs), by_name(dense({"a": (2, 2)})), dict(zip(refs, refs, strict=True)))) == []
