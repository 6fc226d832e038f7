"""Keras 1's initializers, by the formulas of its 1.2.2 source."""

from __future__ import annotations

import math

import numpy as np
import pytest

from weightkit.transforms.initializers import Draws
from weightkit.transforms.initializers.keras1_initializers import find

SHAPE = (30, 70)
DRAWS = Draws(2, "w")


def drawn(name, shape=SHAPE, *, channels_first=True):
    return find(name, channels_first=channels_first)(shape, DRAWS, 0, math.prod(shape))


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("normal", 0.05),
        ("glorot_normal", math.sqrt(2 / 100)),
        ("he_normal", math.sqrt(2 / 30)),
    ],
)
def test_normal_draws_are_not_truncated(name, deviation):
    values = drawn(name)
    assert np.std(values) == pytest.approx(deviation, rel=0.05)
    assert np.abs(values).max() > 2.5 * deviation


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("uniform", 0.05),
        ("lecun_uniform", math.sqrt(3 / 30)),
        ("glorot_uniform", math.sqrt(6 / 100)),
        ("he_uniform", math.sqrt(6 / 30)),
    ],
)
def test_uniform_draws_reach_their_limits(name, limit):
    values = np.abs(drawn(name))
    assert 0.99 * limit < values.max() <= limit


def test_the_ordering_of_dimensions_decides_which_axes_are_the_fans():
    shape = (3, 3, 64, 16)
    first, last = (np.abs(drawn("he_uniform", shape, channels_first=how)).max() for how in (True, False))
    assert first == pytest.approx(math.sqrt(6 / (3 * 64 * 16)), rel=0.01)
    assert last == pytest.approx(math.sqrt(6 / (9 * 64)), rel=0.01)


def test_orthogonal_matrices_were_scaled_by_1_1():
    matrix = drawn("orthogonal", (20, 5)).reshape(20, 5)
    assert np.allclose(matrix.T @ matrix, 1.21 * np.eye(5))


def test_the_fixed_ones_and_no_others_are_known():
    assert drawn("zero", (2,)).tolist() == [0, 0]
    assert drawn("one", (2,)).tolist() == [1, 1]
    assert drawn("identity", (2, 2)).tolist() == [1, 0, 0, 1]
    assert find("lecun_normal", channels_first=True) is None
