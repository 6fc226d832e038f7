"""scale: which factors it takes, and what it will not multiply."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from support import Folder, plain_datasets, write_legacy

from weightkit import Scale, edit, plan
from weightkit.access.ref import Kind, WeightRef
from weightkit.errors import RequestError


def ref_of(dtype: object, kind: Kind = Kind.PARAMETER) -> WeightRef:
    return WeightRef("w", None, 0, None, (2,), np.dtype(dtype), kind, None, None, None)


@pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_a_factor_that_is_not_finite_is_refused(factor):
    with pytest.raises(RequestError, match=r"factor must be a finite number, got .*(nan|inf)"):
        Scale(factor)


@pytest.mark.parametrize("factor", [True, False, np.True_, "0.5", None, 1j, [0.5], Fraction(1, 2), np.array([0.5])])
def test_what_is_no_number_is_no_factor(factor):
    with pytest.raises(RequestError, match="factor must be a finite number, got"):
        Scale(factor)


def test_an_integer_too_large_for_a_float_is_refused_as_a_factor():
    with pytest.raises(RequestError, match="factor"):
        Scale(10**400)


@pytest.mark.parametrize(
    ("factor", "plain"),
    [(2, 2.0), (np.float32(0.5), 0.5), (np.int8(-1), -1.0), (np.float16(0.1), float(np.float16(0.1))), (0, 0.0)],
)
def test_any_finite_number_is_a_factor_numpys_too(factor, plain):
    assert Scale(factor) == Scale(plain)
    assert type(Scale(factor).factor) is float


def test_it_prints_as_what_makes_it():
    assert repr(Scale(0.1)) == "Scale(0.1)"
    assert eval(repr(Scale(-3)), {"Scale": Scale}) == Scale(-3)  # noqa: S307


def test_zero_is_allowed_and_said():
    assert Scale(0).notes() == ("the factor is 0: every selected weight becomes zero",)
    assert Scale(-0.0).notes() == Scale(0).notes()
    assert Scale(1e-300).notes() == ()


@pytest.mark.parametrize("factor", [1e-50, -1e-50, 1e39, -1e300])
@pytest.mark.parametrize("dtype", ["f4", "f2", ml_dtypes.bfloat16])
def test_a_factor_that_becomes_nothing_or_infinite_in_float32_is_refused_there_and_taken_in_float64(factor, dtype):
    with pytest.raises(RequestError, match=r"factor must stay finite and nonzero in float32, in which w is computed"):
        Scale(factor).objection(ref_of(dtype))
    assert Scale(factor).objection(ref_of("f8")) == ""


@pytest.mark.parametrize("factor", [1e-40, 3e38, 0, -0.0, 1e-45])
def test_a_factor_that_float32_can_hold_is_not_objected_to_even_as_a_denormal(factor):
    assert Scale(factor).objection(ref_of("f4")) == ""


@pytest.mark.parametrize("dtype", ["i4", "u1", "bool", "i8"])
def test_integers_and_truth_values_are_objected_to(dtype):
    assert "only floating-point numbers can be scaled" in Scale(2).objection(ref_of(dtype))


@pytest.mark.parametrize("kind", [Kind.OPTIMIZER, Kind.QUANTIZATION])
def test_optimizer_state_and_quantized_weights_are_objected_to_even_as_floats(kind):
    assert Scale(2).objection(ref_of("f4", kind))


@pytest.mark.parametrize("kind", [Kind.PARAMETER, Kind.STATISTIC, Kind.STATE, Kind.UNKNOWN])
def test_other_floats_are_not_objected_to(kind):
    assert Scale(2).objection(ref_of("f4", kind)) == ""


@pytest.mark.parametrize("factor", [-1, 2, 0.1, 0, np.float32(1 / 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_scaled_file_equals_numpy_in_the_weights_own_type(tmp_path, factor, dtype):
    values = np.random.default_rng(3).standard_normal((5, 7)).astype(dtype)
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    edit(path, Scale(factor))
    assert plain_datasets(path)["d/d/kernel:0"].tobytes() == (values * dtype(factor)).tobytes()


def test_scaling_twice_by_powers_of_two_equals_scaling_once(tmp_path):
    values = np.random.default_rng(4).standard_normal(100).astype(np.float32)
    twice = write_legacy(tmp_path / "twice.h5", {"d": {"kernel": values}})
    once = write_legacy(tmp_path / "once.h5", {"d": {"kernel": values}})
    edit(twice, Scale(0.5))
    edit(twice, Scale(0.25))
    edit(once, Scale(0.125))
    assert twice.read_bytes() == once.read_bytes()


def test_scaling_by_one_changes_no_byte(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1, np.nan, np.inf, -0.0], np.float32)}})
    before = path.read_bytes()
    edit(path, Scale(1))
    assert path.read_bytes() == before


def test_a_factor_lost_in_float32_refuses_an_edit_of_float32_weights_and_writes_nothing(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(3, np.float32)}})
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError):
        edit(path, Scale(1e-60))
    assert Folder.of(tmp_path) == before


def test_a_factor_lost_in_float32_never_scales_only_the_float64_half_of_a_model(tmp_path):
    layers = {"d": {"kernel": np.ones(3, np.float32), "bias": np.ones(3, np.float64)}}
    path = write_legacy(tmp_path / "m.h5", layers)
    with pytest.raises(RequestError, match=r"in float32, .* which becomes 0\.0"):
        plan(path, Scale(1e-60))


def test_a_factor_lost_in_float32_is_taken_where_only_float64_weights_are_chosen(tmp_path):
    layers = {"d": {"kernel": np.ones(3, np.float64), "moving_mean": np.ones(3, np.float32)}}
    path = write_legacy(tmp_path / "m.h5", layers)
    edit(path, Scale(1e-60))
    assert plain_datasets(path)["d/d/kernel:0"].tolist() == [1e-60] * 3
