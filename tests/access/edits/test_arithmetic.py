"""The numbers of an edit: in which type they are computed, and which are counted as lost."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest

from weightkit import Scale
from weightkit.access.edits.arithmetic import Losses, NonFinite, is_floating, losses, new_nonfinite, transformed
from weightkit.access.ref import Kind, WeightRef
from weightkit.access.store import ALL

FACTORS = [0.5, 0.1, -1.0, 2.0, 0.0, -0.0, 1 / 3, 1e-30, 3.7e5, 1]


def ref_of(values: np.ndarray) -> WeightRef:
    return WeightRef("w", None, 0, None, values.shape, values.dtype, Kind.PARAMETER, None, None, None)


def scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return transformed(Scale(factor), ref_of(values), values.copy(), ALL)


def every_16_bit_value(dtype: object) -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16).view(dtype)


def many_values(dtype: str) -> np.ndarray:
    """Random bit patterns: every exponent, denormals, infinities and NaNs."""
    size = np.dtype(dtype).itemsize
    return np.random.default_rng(0).integers(0, 256, 40_000 * size, dtype=np.uint8).view(dtype)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_float32_and_float64_equal_numpy_in_their_own_type_bit_for_bit(dtype, factor):
    values = many_values(dtype)
    with np.errstate(all="ignore"):
        expected = values * np.dtype(dtype).type(factor)
    assert scaled(values, factor).tobytes() == expected.tobytes()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype, factor):
    values = every_16_bit_value(dtype)
    with np.errstate(all="ignore"):
        expected = (values.astype(np.float32) * np.float32(factor)).astype(dtype)
    after = scaled(values, factor)
    assert after.dtype == dtype
    assert after.tobytes() == expected.tobytes()


def test_half_precision_is_not_computed_in_its_own_type():
    values = every_16_bit_value(np.float16)
    with np.errstate(all="ignore"):
        assert scaled(values, 0.1).tobytes() != (values * np.float16(0.1)).tobytes()


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8"])
def test_big_endian_values_stay_big_endian_and_equal_the_little_endian_ones(dtype):
    values = np.array([0.1, -2.5, 3e-7, 0.0], dtype)
    after = scaled(values, 0.1)
    assert after.dtype.str == dtype
    little = scaled(values.astype(values.dtype.newbyteorder("<")), 0.1)
    assert after.astype(little.dtype).tobytes() == little.tobytes()


def test_denormals_are_kept():
    values = np.array([3e-39, 1.4e-45, -3e-39], np.float32)
    assert scaled(values, 0.5).tolist() == [float(np.float32(1.5e-39)), 0.0, float(np.float32(-1.5e-39))]


def test_the_values_given_to_a_transform_cannot_be_changed_in_place():
    @dataclass(frozen=True)
    class Careless:
        elementwise = True

        def __call__(self, ref, values, span=ALL):
            values *= 2
            return values

    values = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="read-only"):
        transformed(Careless(), ref_of(values), values, ALL)


@pytest.mark.parametrize(
    ("before", "after", "nans", "infinities"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0, 0),
        ([1.0, 2.0, 3.0], [np.inf, -np.inf, np.nan], 1, 2),
        ([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf], 0, 0),
        ([np.inf, np.nan], [np.nan, np.inf], 0, 0),
        ([np.nan, 1.0], [np.nan, np.inf], 0, 1),
        ([np.nan, np.inf], [1.0, 2.0], 0, 0),
        ([], [], 0, 0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, ">f4"])
def test_only_what_was_finite_counts_as_newly_lost(dtype, before, after, nans, infinities):
    found = new_nonfinite(np.array(before, dtype), np.array(after, dtype))
    assert found == NonFinite(nans, infinities)
    assert bool(found) == bool(nans or infinities)


def test_counts_add_up():
    assert NonFinite(1, 2) + NonFinite(3, 4) == NonFinite(4, 6)


def test_integers_cannot_be_lost():
    assert new_nonfinite(np.arange(3), np.arange(3)) == NonFinite()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ml_dtypes.bfloat16])
def test_real_numbers_are_floating(dtype):
    assert is_floating(np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "bool", "V2", "c8"])
def test_integers_truth_values_raw_bytes_and_complex_numbers_are_not_floating(dtype):
    assert not is_floating(np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_signalling_nans_are_counted_without_a_warning(dtype):
    size = np.dtype(dtype).itemsize
    signalling = {2: {np.float16: 0x7D00}.get(dtype, 0x7F81), 4: 0x7F800001, 8: 0x7FF0000000000001}[size]
    values = np.array([signalling], f"u{size}").view(dtype)
    narrow = np.float16 if dtype != np.float16 else np.float32
    assert losses(values, values) == losses(values, transformed(Cast(narrow), ref_of(values), values, ALL)) == Losses()


@dataclass(frozen=True)
class Cast:
    """Stores the values as they are in another type."""

    to: object
    elementwise = True

    def dtype(self, ref):
        return np.dtype(self.to)

    def __call__(self, ref, values, span=ALL):
        return values


def test_what_a_narrower_type_loses_is_counted_apart():
    before = np.array([1, 0.1, 1e-9, 1e6, np.inf, np.nan, 0.0, -1e-9], np.float32)
    after = transformed(Cast(np.float16), ref_of(before), before.copy(), ALL)
    assert losses(before, after) == Losses(NonFinite(0, 1), zeros=2, inexact=3)
    assert losses(before, after.astype(np.float32).astype(np.float64)) == losses(before, after)


def test_zeros_and_lost_digits_are_not_counted_where_the_type_stays():
    before = np.array([1e-45, 1, 3], np.float32)
    assert losses(before, before / np.float32(3)) == Losses()


def test_losses_add_up_and_none_is_false():
    assert Losses(NonFinite(1, 2), 3, 4) + Losses(NonFinite(5, 6), 7, 8) == Losses(NonFinite(6, 8), 10, 12)
    assert not Losses()
    assert all([Losses(NonFinite(1)), Losses(zeros=1), Losses(inexact=1)])
