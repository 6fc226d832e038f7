"""Fans by Keras' rules; Keras itself is asked in end_to_end/reinit_check.py."""

from __future__ import annotations

import pytest

from weightkit.transforms.initializers import keras1_initializers
from weightkit.transforms.initializers.fans import compute_fans


@pytest.mark.parametrize(
    ("shape", "fans"),
    [
        ((), (1, 1)),
        ((7,), (7, 7)),
        ((5, 3), (5, 3)),
        ((3, 5, 7), (15, 21)),
        ((3, 3, 5, 7), (45, 63)),
        ((2, 3, 4, 5, 7), (120, 168)),
        ((3, 3, 8, 1), (72, 9)),  # a depthwise kernel is taken for a convolution's
        ((0, 3), (0, 3)),
    ],
)
def test_the_last_two_axes_are_the_fans_and_all_before_them_the_receptive_field(shape, fans):
    assert compute_fans(shape) == fans


def test_given_axes_are_multiplied_and_one_side_alone_is_not_enough():
    assert compute_fans((8, 4, 16), (0,), (1, 2)) == (8, 64)
    assert compute_fans((4, 16, 8), (0, 1), (2,)) == (64, 8)
    assert compute_fans((8, 4, 16), (0,)) == compute_fans((8, 4, 16))


@pytest.mark.parametrize(
    ("shape", "first", "last"),
    [
        ((5, 3), (5, 3), (5, 3)),
        ((16,), (4, 4), (4, 4)),
        ((4, 2, 2), (4, 4), (4, 4)),
        ((3, 5, 7, 2), (70, 42), (105, 30)),
        ((2, 3, 4, 5, 7), (420, 280), (30, 42)),
    ],
)
def test_keras_1_looked_for_the_fans_where_its_ordering_of_dimensions_said(shape, first, last):
    assert keras1_initializers.compute_fans(shape, channels_first=True) == first
    assert keras1_initializers.compute_fans(shape, channels_first=False) == last
