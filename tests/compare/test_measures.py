"""Distances between weights, held to NumPy's own."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weightkit.compare.equality import is_same
from weightkit.compare.measures import EXACT, Measures, Tolerance, measure, unchanged

FLOATS = arrays(np.float32, 40, elements=st.floats(-1e3, 1e3, width=32))


def drawn(dtype, size=100_000, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_measures_equal_numpys(dtype):
    a, b = drawn(dtype), drawn(dtype, seed=1)
    b[::3] = a[::3]
    found, x, y = measure(a, b, 0), a.astype(np.float64), b.astype(np.float64)
    assert found.changed == found.outside == np.count_nonzero(x != y)
    assert found.max_abs == np.abs(y - x).max()
    assert found.max_at == np.abs(y - x).argmax()
    assert found.relative_l2 == pytest.approx(np.linalg.norm(y - x) / np.linalg.norm(x), rel=1e-12)
    assert found.cosine == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), rel=1e-12)


@given(FLOATS, FLOATS, st.integers(1, 39))
@settings(max_examples=50)
def test_measures_of_two_spans_are_those_of_the_whole(a, b, cut):
    if is_same(a, b):
        return
    whole = measure(a, b, 0)
    parts = [Measures(a[s].size) + unchanged(a[s]) if is_same(a[s], b[s]) else measure(a[s], b[s], s.start)
             for s in (slice(0, cut), slice(cut, 40))]  # fmt: skip
    total = parts[0] + parts[1]
    assert (total.size, total.changed, total.outside) == (whole.size, whole.changed, whole.outside)
    assert (total.zeroed, total.max_abs, total.max_at) == (whole.zeroed, whole.max_abs, whole.max_at)
    assert total.relative_l2 == pytest.approx(whole.relative_l2)


def test_of_equal_differences_the_first_place_is_told_whatever_their_signs():
    a, b = np.zeros(4), np.array([0.0, -1.0, 1.0, -1.0])
    assert measure(a, b, 0).max_at == measure(b, a, 0).max_at == 1


@given(FLOATS, FLOATS, st.floats(0, 1), st.floats(0, 10))
@settings(max_examples=100)
def test_what_is_close_is_what_numpy_finds_close(a, b, rtol, atol):
    if is_same(a, b) or not (rtol or atol):
        return
    x, y = a.astype(np.float64), b.astype(np.float64)
    assert measure(a, b, 0, Tolerance(rtol, atol)).outside == np.count_nonzero(~np.isclose(x, y, rtol=rtol, atol=atol))


def test_a_nan_equals_a_nan_of_the_same_bits_and_no_other():
    quiet = np.array([0x7FC00000, 0x7FC00000, 0x3F800000], np.uint32).view(np.float32)
    other = np.array([0x7FC00000, 0x7FC00001, 0x3F800000], np.uint32).view(np.float32)
    assert is_same(quiet, quiet.copy())
    found = measure(quiet, other, 0)
    assert (found.changed, found.outside, found.lost) == (1, 1, 0)


def test_zeros_of_another_sign_are_changed_and_close_only_within_a_tolerance():
    a, b = np.array([0.0, 1.0], "f4"), np.array([-0.0, 1.0], "f4")
    found = measure(a, b, 0)
    assert (found.changed, found.outside, found.alike, found.zeroed, found.max_at) == (1, 1, 1, 0, None)
    assert measure(a, b, 0, Tolerance(atol=1e-30)).outside == 0


def test_elements_of_one_value_in_other_bits_are_counted_beside_infinities_too():
    a = np.array([0x7FC00000, 0x00000000, 0x7F800000, 0x3F800000], np.uint32).view(np.float32)
    b = np.array([0xFFC00001, 0x80000000, 0x7F800000, 0x00000000], np.uint32).view(np.float32)
    found = measure(a, b, 0)
    assert (found.changed, found.alike, found.zeroed, found.lost) == (3, 2, 1, 0)


def test_what_is_no_longer_finite_is_counted_and_left_out_of_the_sums():
    a = np.array([1, 2, 3, np.inf, np.nan], "f4")
    b = np.array([1, np.nan, np.inf, np.inf, 4], "f4")
    found = measure(a, b, 0)
    assert (found.changed, found.outside, found.lost, found.difference) == (3, 3, 2, 0)
    assert (found.ours, found.theirs) == (1, 1)
    assert math.isfinite(found.relative_l2)


def test_an_infinity_is_never_within_a_tolerance_of_a_number():
    assert measure(np.array([1.0]), np.array([np.inf]), 0, Tolerance(rtol=1)).outside == 1


def test_elements_that_became_zero_are_counted():
    found = measure(np.array([1, 0, 3, 4], "f4"), np.array([0, 0, 0, 5], "f4"), 0)
    assert (found.changed, found.zeroed, found.zeros) == (3, 2, 3)


def test_the_place_of_the_largest_difference_counts_from_the_start_of_the_weight():
    found = measure(np.zeros(3, "f4"), np.array([0, -2, 1], "f4"), 100)
    assert (found.max_abs, found.max_at) == (2, 101)
    assert found.to_dict((11, 10))["max_at"] == [10, 1]


def test_from_zero_the_relative_distance_is_infinite_and_null_in_json():
    found = measure(np.zeros(3, "f4"), np.ones(3, "f4"), 0)
    assert (found.relative_l2, found.cosine) == (math.inf, None)
    record = found.to_dict((3,))
    assert (record["relative_l2"], record["cosine"]) == (None, None)


def test_what_did_not_change_has_no_distance_and_no_angle():
    found = Measures(3)
    assert (found.relative_l2, found.cosine) == (0, 1)


def test_large_integers_differ_although_float64_cannot_tell_them_apart():
    a = np.array([2**60, 5], np.int64)
    found = measure(a, a + np.array([1, 0]), 0)
    assert (found.changed, found.outside) == (1, 1)


def test_weights_of_two_types_are_compared_by_value():
    a = np.array([0.5, 0.1, np.nan], "f4")
    found = measure(a, a.astype(np.float16), 0)
    assert (found.changed, found.outside) == (1, 1)
    assert found.max_abs == abs(float(np.float16(np.float32(0.1))) - float(np.float32(0.1)))


def test_bytes_that_are_no_real_numbers_are_the_same_or_not():
    found = measure(np.array([1 + 2j, 3]), np.array([1 + 2j, 4]), 0)
    assert (found.size, found.changed, found.outside) == (2, 1, 1)
    assert measure(np.array([1 + 2j, 3]), np.array([1.0, 3.0]), 0).outside == 2


def test_booleans_are_numbers():
    assert measure(np.array([True, False]), np.array([True, True]), 0).changed == 1


def test_a_tolerance_of_nothing_is_exact():
    assert not EXACT
    assert Tolerance(atol=1e-9)


@pytest.mark.parametrize("unit", [1e300, 1e200, 1.0, 1e-200, 1e-300])
def test_norms_are_right_where_squares_leave_the_range_of_float64(unit):
    a, b = np.array([3.0, 4.0, 0.0]), np.array([3.0, 4.0, 10.0])
    found = measure(a * unit, b * unit, 0)
    assert (found.changed, found.outside, found.max_abs) == (1, 1, 10 * unit)
    assert found.relative_l2 == pytest.approx(2, rel=1e-12)
    assert unchanged(a * unit).ours == pytest.approx(5 * unit, rel=1e-12)
    assert found.cosine == (pytest.approx(0.2**0.5) if unit == 1 else None)


def test_a_tiny_change_of_a_large_weight_has_a_distance():
    found = measure(np.array([1.0, 1e-200]), np.array([1.0, 2e-200]), 0)
    assert found.relative_l2 == pytest.approx(1e-200, rel=1e-12)
    assert found.max_abs == 1e-200


def test_a_difference_beyond_float64_has_no_distance_and_no_angle():
    found = measure(np.array([1.7e308, 1.0]), np.array([-1.7e308, 1.0]), 0)
    assert (found.changed, found.outside, found.lost) == (1, 1, 0)
    assert (found.relative_l2, found.cosine) == (None, None)
    assert found.to_dict((2,))["max_abs"] is None


def test_sums_that_are_no_numbers_give_no_angle():
    found = measure(np.array([1e200, 1e200]), np.array([2e200, -2e200]), 0)
    assert found.cosine is None
    assert Measures(2, 2, 2, finite=2, ours=1, theirs=1, product=math.nan).cosine is None
    assert Measures(2, 2, 2, finite=2, difference=math.inf, ours=math.inf).relative_l2 is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.full(2, np.nan, "f4"), np.ones(2, "f4")),
        (np.array([np.inf, np.inf]), np.array([1.0, -np.inf])),
        (np.array([1 + 2j, 3], "c8"), np.array([2 + 2j, 4], "c8")),
    ],
)
def test_what_is_no_pair_of_finite_numbers_has_no_measures(a, b):
    found = measure(a, b, 0)
    assert found.changed == found.outside == 2
    assert (found.max_abs, found.relative_l2, found.cosine) == (None, None, None)
    assert [found.to_dict((2,))[name] for name in ("max_abs", "max_at", "relative_l2", "cosine")] == [None] * 4


def test_an_infinity_is_no_zero():
    found = measure(np.array([1, np.inf]), np.array([0, np.inf]), 0)
    assert (found.changed, found.zeroed, found.zeros) == (1, 1, 1)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array([2**53, 5], "i8"), np.array([2**53 + 1, 5], "i8")),
        (np.array([-(2**63), 5], "i8"), np.array([2**63 - 1, 5], "i8")),
        (np.array([0, 5], "u8"), np.array([2**64 - 1, 5], "u8")),
        (np.array([2**53 + 1, 5], "i8"), np.array([2**53, 5], "u8")),
        (np.array([-(2**63), 5], "i8"), np.array([2**64 - 1, 5], "u8")),
        (np.array([200, 5], "u1"), np.array([100, 5], "u1")),
        (np.array([True, False]), np.array([False, False])),
    ],
)
@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(atol=1e-9)])
def test_the_difference_of_integers_is_that_of_integers(a, b, tolerance):
    found, apart = measure(a, b, 0, tolerance), abs(int(b[0]) - int(a[0]))
    assert (found.changed, found.outside, found.max_at) == (1, 1, 0)
    assert found.max_abs == float(apart)
    assert found.relative_l2 == pytest.approx(apart / math.hypot(int(a[0]), int(a[1])))
    assert measure(a, b, 0, Tolerance(atol=2.0 * apart)).outside == 0
