"""One weight under the names of several versions of Keras."""

from __future__ import annotations

import pytest

from weightkit.access.matching.own_weights import paired


@pytest.fixture
def own(weight):
    """The weights of one layer by name, each of its shape."""

    def make(**shapes):
        return {name: weight(f"a/{name}", shape, index=i) for i, (name, shape) in enumerate(shapes.items())}

    return make


def _names(pairs):
    return {ours.name: theirs.name for ours, theirs in pairs}


@pytest.mark.parametrize(
    ("today", "before"),
    [
        (("kernel", "bias"), ("W", "b")),
        (("kernel", "recurrent_kernel", "bias"), ("W", "U", "b")),
        (("gamma", "beta", "moving_mean", "moving_variance"), ("gamma", "beta", "running_mean", "running_std")),
        (("embeddings",), ("W",)),
        (("kernel", "bias"), ("depthwise_kernel", "bias")),
        (("alpha",), ("alphas",)),
    ],
)
def test_the_names_of_earlier_versions_are_known(own, today, before):
    ours, theirs = own(**dict.fromkeys(today, (2,))), own(**dict.fromkeys(before, (2,)))
    assert _names(paired(ours, theirs)) == dict(zip(today, before, strict=True))
    assert _names(paired(theirs, ours)) == dict(zip(before, today, strict=True))


def test_a_name_that_is_on_both_sides_is_taken_at_its_word(own):
    assert _names(paired(own(W=(2,), kernel=(2,)), own(W=(2,), kernel=(2,)))) == {"W": "W", "kernel": "kernel"}
    assert _names(paired(own(W=(2,), kernel=(2,)), own(kernel=(2,)))) == {"kernel": "kernel"}


def test_two_names_of_one_meaning_are_not_guessed(own):
    assert _names(paired(own(kernel=(2,)), own(W=(2,), depthwise_kernel=(2,)))) == {}


def test_weights_without_a_name_go_by_the_order_in_which_they_were_made(own):
    ours = own(variable=(2,), variable_1=(3,), scale=(1,))
    theirs = own(scale=(1,), variable_4=(2,), variable_10=(3,))
    assert _names(paired(ours, theirs)) == {"variable": "variable_4", "variable_1": "variable_10", "scale": "scale"}
    assert _names(paired(own(variable=(2,), variable_1=(2,)), own(variable_1=(2,), variable_2=(2,)))) == {
        "variable": "variable_1",
        "variable_1": "variable_2",
    }


def test_weights_without_a_name_of_other_shapes_go_by_their_numbers(own):
    assert _names(paired(own(variable=(2,), variable_1=(3,)), own(variable_1=(3,)))) == {"variable_1": "variable_1"}
