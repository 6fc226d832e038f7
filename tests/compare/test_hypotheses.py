"""What was done to a weight is guessed, and claimed only where it holds bit for bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightkit.access.edits.arithmetic import transformed
from weightkit.access.store import ALL
from weightkit.compare.hypotheses import guess, holds
from weightkit.transforms.scale import Scale

TYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def drawn(dtype, size=20_000, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(dtype)


class _Ref:
    """As much of a weight as ``scale`` asks for."""

    def __init__(self, values):
        self.dtype = values.dtype


def text(a, b):
    found = guess(a, b)
    return found and found.text


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("factor", [0.5, 0.1, 2, 3.25, -2.5, 1e-3, 1.01])
def test_what_our_own_scale_did_is_told_with_its_factor(dtype, factor):
    values = drawn(dtype)
    made = transformed(Scale(factor), _Ref(values), values, ALL)
    assert text(values, made) == f"scaled by {factor:g}"


@given(st.floats(0.01, 100), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_any_factor_is_found_again_to_the_last_bit_in_float32(factor, seed):
    values = drawn(np.float32, 5000, seed)
    made = values * np.float32(factor)
    if np.array_equal(values, made):
        return
    assert guess(values, made).factor == np.float32(factor)


def test_the_other_sign_is_told_in_words():
    values = drawn(np.float32)
    assert text(values, -values) == "sign flipped"


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("constant", [0.5, 0.125, -1])
def test_a_constant_that_was_added_is_told(dtype, constant):
    values = drawn(dtype)
    working = np.float32 if values.dtype.itemsize < 8 else np.float64
    made = (values.astype(working) + working(constant)).astype(dtype)
    assert text(values, made) == f"shifted by {constant:g}"


@pytest.mark.parametrize(("dtype", "to"), [("f4", np.float16), ("f4", ml_dtypes.bfloat16), ("f8", np.float32)])
def test_rounding_to_a_narrower_type_is_told_whether_it_is_stored_so_or_not(dtype, to):
    values = drawn(dtype)
    assert text(values, values.astype(to).astype(dtype)) == f"rounded to {np.dtype(to)}"
    assert text(values, values.astype(to)) == f"rounded to {np.dtype(to)}"


def test_a_wider_type_with_the_same_values_is_a_cast():
    values = drawn(np.float16)
    assert guess(values, values.astype(np.float32)) is not None


def test_one_element_off_by_its_last_bit_is_no_scaling():
    values = drawn(np.float32)
    made = values * np.float32(0.5)
    made[-1] = np.nextafter(made[-1], np.float32(9))
    assert guess(values, made) is None


def test_noise_and_other_weights_are_nothing_known():
    values = drawn(np.float32)
    assert guess(values, values + drawn(np.float32, seed=1) * np.float32(1e-3)) is None
    assert guess(values, drawn(np.float32, seed=2)) is None


def test_equal_elements_prove_no_factor():
    assert guess(np.ones(5, "f4"), np.full(5, 3, "f4")) is None
    assert guess(np.array([2.0], "f4"), np.array([3.0], "f4")) is None


def test_zeros_nans_and_infinities_stay_what_they_are_under_a_factor():
    values = np.array([0, -0.0, np.nan, np.inf, 1, 3, -7], "f4")
    assert text(values, values * np.float32(0.5)) == "scaled by 0.5"
    assert guess(values, np.where(values == 0, 1, values * np.float32(0.5)).astype("f4")) is None


def test_subnormal_results_are_scaled_too():
    values = drawn(np.float32) * np.float32(1e-38)
    assert text(values, values * np.float32(0.25)) == "scaled by 0.25"


def test_integers_are_never_scaled():
    assert guess(np.arange(5), np.arange(5) * 2) is None


def test_a_guess_from_the_beginning_is_held_to_what_follows():
    values = drawn(np.float32)
    found = guess(values[:100], values[:100] * np.float32(0.5))
    assert holds(found, values, values * np.float32(0.5))
    assert not holds(found, values, values)
