"""A weight whose elements are all still there is told so, with what was done; two layers that changed places too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit import diff
from weightkit.compare.rearranged import rearrangement

RNG = np.random.default_rng(0)
VECTOR, MATRIX, CONV = (RNG.standard_normal(shape).astype("f4") for shape in [(9,), (6, 8), (3, 3, 4, 5)])
ROWS, COLUMNS = RNG.permutation(6), RNG.permutation(8)


@pytest.mark.parametrize(
    ("was", "made", "words"),
    [
        (VECTOR, VECTOR[::-1], "mirrored along axis 0"),
        (VECTOR, VECTOR[[1, 0, 2, 3, 4, 5, 8, 6, 7]], "permuted"),
        (MATRIX, MATRIX[:, ::-1], "mirrored along axis 1"),
        (MATRIX, MATRIX[::-1, ::-1], "mirrored along axes 0 and 1"),
        (MATRIX[:, :6], MATRIX[:, :6].T, "transposed"),
        (MATRIX, MATRIX[ROWS], "permuted along axis 0"),
        (MATRIX, MATRIX[:, COLUMNS], "permuted along axis 1"),
        (MATRIX, MATRIX[ROWS][:, COLUMNS], "permuted along axes 0 and 1"),
        (CONV, CONV[::-1, ::-1], "mirrored along axes 0 and 1"),
        (CONV, CONV[..., RNG.permutation(5)], "permuted along axis 3"),
        (CONV, CONV[:, :, RNG.permutation(4)][..., RNG.permutation(5)], "permuted along axes 2 and 3"),
        (CONV, CONV.transpose(1, 0, 2, 3), "transposed, axes in the order 1, 0, 2, 3"),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i4"])
def test_each_way_is_told_in_words(was, made, words, dtype):
    was, made = ((values * 1000).astype(dtype) for values in (was, made))
    assert rearrangement(was, made) == words


@pytest.mark.parametrize(
    ("was", "made"),
    [
        (MATRIX, np.where(MATRIX[2, 3] == MATRIX, np.float32(0), MATRIX[ROWS])),  # a value is not there any more
        (MATRIX, MATRIX.reshape(-1)[RNG.permutation(48)].reshape(6, 8)),  # not by slices
        (MATRIX, MATRIX.reshape(8, 6)),
        (np.array([1, 0, 0, 1], "f4"), np.array([0, 1, 1, 0], "f4")),  # by chance
        (MATRIX.reshape(1, 1, 1, 1, 6, 8), MATRIX[ROWS].reshape(1, 1, 1, 1, 6, 8)),  # too many axes to try
    ],
    ids=range(5),
)
def test_nothing_is_told_that_is_not_so(was, made):
    assert rearrangement(was, made) == ""


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8"])
def test_flipped_signs_are_counted_where_nothing_else_changed(dtype):
    was = MATRIX.astype(dtype)
    made = was * np.where(np.arange(8) < 3, -1, 1).astype(dtype)
    assert rearrangement(was, made) == "with 18 signs flipped"
    made[0, 0] *= 2
    assert rearrangement(was, made) == ""


@given(st.permutations(range(5)), st.permutations(range(4)))
def test_any_order_of_both_axes_is_found(rows, columns):
    values = np.arange(20, dtype="f4").reshape(5, 4)
    assert rearrangement(values, values[list(rows)][:, list(columns)])


def layers(**named):
    return {layer: {"kernel": kernel, "bias": bias} for layer, (kernel, bias) in named.items()}


def test_a_comparison_tells_what_was_rearranged(told):
    first = layers(a=(MATRIX, VECTOR), b=(MATRIX[:, :6], VECTOR), c=(MATRIX, VECTOR))
    second = layers(
        a=(MATRIX[:, COLUMNS], VECTOR[::-1]), b=(MATRIX[:, :6].T, VECTOR), c=(np.ascontiguousarray(MATRIX.T), VECTOR)
    )
    assert told(first, second) == {
        "a/kernel": ("differs", "permuted along axis 1"),
        "a/bias": ("differs", "mirrored along axis 0"),
        "b/kernel": ("differs", "transposed"),
        "c/kernel": ("reshaped", "reshaped, from 6x8 to 8x6, transposed"),
    }


def test_two_layers_that_changed_places_are_told(files):
    one, two, three = (
        (RNG.standard_normal((6, 8)).astype("f4"), RNG.standard_normal(9).astype("f4")) for _ in (1, 2, 3)
    )
    found = diff(*files(layers(a=one, b=two, c=three), layers(a=two, b=one, c=three)))
    assert {weight.path: weight.what for weight in found.changed()} == {
        "a/kernel": "swapped with b/kernel",
        "b/kernel": "swapped with a/kernel",
        "a/bias": "swapped with b/bias",
        "b/bias": "swapped with a/bias",
    }
    assert found.summary() == "4 of 6 weights changed: 4 swapped with another"
    assert found.notes == ("layers a and b changed places",)


def test_layers_of_which_more_changed_have_not_only_changed_places(files):
    one, two = ((RNG.standard_normal((6, 8)).astype("f4"), RNG.standard_normal(9).astype("f4")) for _ in (1, 2))
    found = diff(*files(layers(a=one, b=two), layers(a=two, b=(one[0], two[1] + VECTOR))))
    assert {weight.path: weight.what for weight in found.changed()}["a/kernel"] == "swapped with b/kernel"
    assert found.notes == ()


def test_values_that_moved_on_from_layer_to_layer_are_told_with_where_they_were(files):
    one, two, three = ((RNG.standard_normal((6, 8)).astype("f4"), VECTOR) for _ in range(3))
    found = diff(*files(layers(a=one, b=two, c=three), layers(a=two, b=three, c=one)))
    assert {weight.path: weight.what for weight in found.changed()} == {
        "a/kernel": "with the values of b/kernel",
        "b/kernel": "with the values of c/kernel",
        "c/kernel": "with the values of a/kernel",
    }
    assert found.summary() == "3 of 6 weights changed: 3 with the values of another"
    assert found.notes == ()
