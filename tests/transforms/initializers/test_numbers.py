"""Numbers that initializers are given are finite in float64."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers import get
from weightkit.transforms.initializers.numbers import is_finite, is_held_by


def test_an_integer_beyond_float64_is_no_finite_number():
    assert not is_finite(10**400)
    assert is_finite(10**300)
    assert is_finite(np.float32(2))
    assert not is_finite(True)
    assert not is_finite("1")


@pytest.mark.parametrize("name", ["random_normal", "truncated_normal", "orthogonal", "constant"])
def test_it_is_refused_in_one_short_line(name):
    with pytest.raises(RequestError) as refusal:
        get(f"{name}(1{'0' * 400})")
    assert len(str(refusal.value)) < 200


def test_bounds_too_far_apart_are_refused():
    with pytest.raises(RequestError, match="maxval - minval of RandomUniform must be finite"):
        get("random_uniform(-1e308, 1e308)")


def test_a_type_holds_what_stays_finite_in_it():
    assert is_held_by(np.dtype(np.float16), 65504.0)
    assert not is_held_by(np.dtype(np.float16), 1e5)
    assert is_held_by(np.dtype(ml_dtypes.bfloat16), 1e38)
    assert not is_held_by(np.dtype(ml_dtypes.bfloat16), 1e39)
