"""Variance scaling: its bounds and deviations follow from the fans."""

from __future__ import annotations

import math

import numpy as np
import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers import Draws, get
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

DRAWS = Draws(5, "w")
SHAPE = (3, 40, 60)  # fans 120 and 180


def drawn(initializer, shape=SHAPE):
    return initializer(shape, DRAWS, 0, math.prod(shape))


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 120), ("fan_out", 180), ("fan_avg", 150)])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.1])
def test_the_variance_is_scale_over_the_fan_whatever_the_distribution(mode, fan, scale):
    for distribution in ("uniform", "truncated_normal", "untruncated_normal"):
        values = drawn(VarianceScaling(scale, mode, distribution))
        assert np.var(values) == pytest.approx(scale / fan, rel=0.05)
        assert abs(np.mean(values)) < 4 * math.sqrt(scale / fan / values.size)


def test_a_uniform_draw_reaches_its_limit_and_does_not_pass_it():
    limit = math.sqrt(3 / 120)
    values = np.abs(drawn(VarianceScaling(1.0, "fan_in", "uniform")))
    assert 0.999 * limit < values.max() <= limit


def test_a_truncated_draw_is_widened_so_that_its_deviation_is_right_and_cut_at_twice_that():
    cut = 2 * math.sqrt(1 / 120) / 0.87962566103423978
    values = np.abs(drawn(VarianceScaling(1.0, "fan_in", "truncated_normal")))
    assert 0.99 * cut < values.max() <= cut


@pytest.mark.parametrize(
    ("name", "scale", "mode", "distribution"),
    [
        ("glorot_uniform", 1, "fan_avg", "uniform"),
        ("glorot_normal", 1, "fan_avg", "truncated_normal"),
        ("he_uniform", 2, "fan_in", "uniform"),
        ("he_normal", 2, "fan_in", "truncated_normal"),
        ("lecun_uniform", 1, "fan_in", "uniform"),
        ("lecun_normal", 1, "fan_in", "truncated_normal"),
    ],
)
def test_the_named_ones_are_variance_scaling_with_fixed_numbers(name, scale, mode, distribution):
    assert get(name) == VarianceScaling(scale, mode, distribution)


def test_normal_is_keras_2s_name_of_the_truncated_one_and_case_does_not_matter():
    assert VarianceScaling(1.0, "FAN_AVG", "Normal") == VarianceScaling(1.0, "fan_avg", "truncated_normal")


def test_a_weight_without_inputs_counts_as_one_input():
    assert np.abs(drawn(VarianceScaling(1.0, "fan_in", "uniform"), (0, 3))).size == 0
    assert np.abs(drawn(VarianceScaling(3.0, "fan_in", "uniform"), ())).max() <= 3


def test_axes_of_its_own_are_kept_where_others_are_told():
    own = VarianceScaling(input_axes=[0], output_axes=[1, 2])
    assert own.along((0, 1), (2,)) == own
    assert VarianceScaling().along((0,), (1, 2)) == own
    assert "axis 2" in own.objection((3, 4))
    assert own.objection((3, 4, 5)) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": 0}, "scale of VarianceScaling must be > 0, got 0"),
        ({"scale": math.nan}, "scale of VarianceScaling must be a finite number, got nan"),
        ({"mode": "fan"}, "mode of VarianceScaling must be one of fan_in, fan_out, fan_avg, got 'fan'"),
        ({"distribution": "cauchy"}, "distribution of VarianceScaling must be one of .*, got 'cauchy'"),
        ({"input_axes": 3}, "input_axes of VarianceScaling must be a list of axes or None, got 3"),
    ],
)
def test_arguments_out_of_bounds_are_refused(arguments, said):
    with pytest.raises(RequestError, match=said):
        VarianceScaling(**arguments)
