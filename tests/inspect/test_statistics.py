"""Measures of weights against plain NumPy."""

from __future__ import annotations

import json
import math

import ml_dtypes
import numpy as np
import pytest
from support import write_legacy

from weightkit import open_weights
from weightkit.access.edits.tiles import TILE
from weightkit.inspect.statistics import Statistics, measure


def measured(tmp_path, values: np.ndarray) -> dict[str, float]:
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    with open_weights(path) as store:
        return measure(store, next(iter(store))).to_dict()


def by_numpy(values: np.ndarray) -> dict[str, float | None]:
    numbers = np.asarray(values).astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    some = finite.size > 0
    return {
        "min": finite.min() if some else None,
        "max": finite.max() if some else None,
        "mean": finite.mean() if some else None,
        "std": finite.std() if some else None,
        "norm": np.linalg.norm(finite),
        "zeros": int((numbers == 0).sum()),
        "nan": int(np.isnan(numbers).sum()),
        "inf": int(np.isinf(numbers).sum()),
    }


def draw(dtype: object, size: int) -> np.ndarray:
    return (np.random.default_rng(2).standard_normal(size) * 20).astype(dtype)


CASES = {
    **{np.dtype(dtype).name: draw(dtype, 1000) for dtype in ("f2", "f4", "f8", "i1", "i4", "i8")},
    "bfloat16": draw(np.float32, 1000).astype(ml_dtypes.bfloat16),
    "big_endian": draw(">f4", 1000),
    "unsigned": np.arange(250, dtype=np.uint8),
    "truth": np.array([True, False, True]),
    "not_finite": np.array([1, np.nan, np.inf, -np.inf, 0, -0.0, np.nan, 3], np.float32),
    "nothing_finite": np.array([np.nan, np.inf], np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.float32(2.5),
    "constant": np.full(TILE * 2 + 7, 0.1, np.float32),
    "several_tiles": draw(np.float32, TILE * 3 + 1).reshape(1, -1),
    "far_from_zero": draw(np.float64, TILE * 2) + 1e8,
    "denormal": np.array([1e-45, 2e-45], np.float32),
    "nan_in_a_later_tile": np.concatenate([np.ones(TILE, np.float32), [np.float32(np.nan)]]),
    "a_tile_with_nothing_finite": np.concatenate([np.full(TILE, np.nan, np.float32), np.ones(3, np.float32)]),
}


@pytest.mark.parametrize("case", CASES)
def test_measures_equal_numpys_over_the_finite_elements(tmp_path, case):
    values = CASES[case]
    found, expected = measured(tmp_path, values), by_numpy(values)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value is None or name in {"min", "max", "zeros", "nan", "inf"}:
            assert found[name] == value, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("case", CASES)
def test_measures_are_json_without_nan(tmp_path, case):
    json.dumps(measured(tmp_path, CASES[case]), allow_nan=False)


def test_a_norm_that_is_too_large_for_float64_is_none_and_no_infinity(tmp_path):
    found = measured(tmp_path, np.array([1e300, -1e300]))
    assert (found["norm"], found["min"], found["max"]) == (None, -1e300, 1e300)
    json.dumps(found, allow_nan=False)


def test_nothing_measured_merges_with_anything():
    some = Statistics(count=2, min=1.0, max=3.0, mean=2.0, squares=2.0, norm_squared=10.0)
    assert Statistics().merge(some) == some
    assert some.merge(Statistics()) == some
    assert Statistics().std is None


def test_the_order_of_merging_does_not_matter_beyond_rounding():
    parts = [Statistics(2, 0.0, 1.0, 0.5, 0.5, 1.0), Statistics(1, 7.0, 7.0, 7.0, 0.0, 49.0), Statistics(3, mean=2.0)]
    there, back = Statistics(), Statistics()
    for part in parts:
        there = there.merge(part)
    for part in reversed(parts):
        back = back.merge(part)
    assert math.isclose(there.mean, back.mean)
    assert math.isclose(there.squares, back.squares)
    assert (there.min, there.max) == (back.min, back.max)
