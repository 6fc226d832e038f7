"""Random draws, held against the distributions they are to have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers.draws import Draws
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform, TruncatedNormal

COUNT = 200_000
DRAWS = Draws(11, "w")


def normal_cdf(x: np.ndarray) -> np.ndarray:
    return np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in x])


def truncated_cdf(x: np.ndarray) -> np.ndarray:
    low, high = normal_cdf(np.array([-2.0, 2.0]))
    return (normal_cdf(x) - low) / (high - low)


def distance(sample: np.ndarray, cdf) -> float:
    """Kolmogorov and Smirnov's distance between a sample and a distribution."""
    expected, count = cdf(np.sort(sample)), sample.size
    return max(np.max(np.arange(1, count + 1) / count - expected), np.max(expected - np.arange(count) / count))


@pytest.mark.parametrize(
    ("initializer", "cdf"),
    [
        (RandomNormal(0.5, 2.0), lambda x: normal_cdf((x - 0.5) / 2)),
        (TruncatedNormal(-1.0, 0.1), lambda x: truncated_cdf((x + 1) / 0.1)),
        (RandomUniform(-0.25, 0.75), lambda x: x + 0.25),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_draws_have_their_distribution(initializer, cdf):
    values = initializer((COUNT // 2, 2), DRAWS, 0, COUNT)
    assert distance(values, cdf) < 1.95 / math.sqrt(COUNT)  # exceeded by chance once in a thousand seeds


def test_the_defaults_are_keras_own():
    assert (RandomNormal().mean, RandomNormal().stddev) == (0.0, 0.05)
    assert (TruncatedNormal().mean, TruncatedNormal().stddev) == (0.0, 0.05)
    assert (RandomUniform().minval, RandomUniform().maxval) == (-0.05, 0.05)


def test_a_spread_of_zero_gives_the_mean():
    assert RandomNormal(3.0, 0.0)((4,), DRAWS, 0, 4).tolist() == [3.0] * 4
    assert RandomUniform(2.0, 2.0)((4,), DRAWS, 0, 4).tolist() == [2.0] * 4


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (RandomNormal, {"stddev": -1}, "stddev of RandomNormal must be >= 0, got -1"),
        (TruncatedNormal, {"stddev": math.inf}, "stddev of TruncatedNormal must be a finite number, got inf"),
        (RandomNormal, {"mean": "0"}, "mean of RandomNormal must be a finite number, got '0'"),
        (RandomNormal, {"mean": True}, "mean of RandomNormal must be a finite number, got True"),
        (RandomUniform, {"minval": 1, "maxval": 0}, "minval of RandomUniform must be <= maxval=0, got 1"),
        (RandomUniform, {"maxval": math.nan}, "maxval of RandomUniform must be a finite number, got nan"),
    ],
)
def test_arguments_that_make_no_distribution_are_refused(make, arguments, said):
    with pytest.raises(RequestError, match=said):
        make(**arguments)
