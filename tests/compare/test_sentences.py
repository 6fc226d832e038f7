"""What happened, in words."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit.compare.hypotheses import guess
from weightkit.compare.measures import Measures, measure
from weightkit.compare.sentences import tally, what_happened

VALUES = np.random.default_rng(0).standard_normal(1000).astype("f4")
OTHER = np.random.default_rng(1).standard_normal(1000).astype("f4")


def said(a, b):
    return what_happened(measure(a, b, 0), guess(a, b))


def replaced(count, value):
    made = VALUES.copy()
    made[:count] = value
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (VALUES * np.float32(0.5), "scaled by 0.5"),
        (-VALUES, "sign flipped"),
        (VALUES * np.float32(0.5) + OTHER * np.float32(1e-6), "scaled by about 0.5"),
        (VALUES + OTHER * np.float32(0.1), "perturbed"),
        (OTHER, "re-initialized or unrelated"),
        (VALUES * np.float32(0), "zeroed"),
        (replaced(4, 0), "with 4 values zeroed"),
        (replaced(1, 0), "with 1 value zeroed"),
        (replaced(900, 0), "with 900 values zeroed"),
        (replaced(3, 7), "with 3 values changed"),
        (replaced(2, np.nan), "with 2 values now NaN or infinite"),
        (VALUES.astype("f2").astype("f4"), "rounded to float16"),
        (VALUES + np.float32(0.5), "shifted by 0.5"),
    ],
)
def test_each_has_its_words(made, words):
    assert said(VALUES, made) == words


def test_nothing_is_said_where_nothing_changed():
    assert what_happened(Measures(10), None) == ""


def test_what_was_zero_is_set():
    assert said(np.zeros(1000, "f4"), OTHER) == "set from zero"


@pytest.mark.parametrize("was", [np.nan, np.inf, 1e-300])
def test_what_was_not_zero_was_not_set_from_zero(was):
    assert said(np.full(1000, was), OTHER.astype("f8")) == "with 1000 values changed"


def test_what_are_no_real_numbers_changed_in_so_many_values():
    assert said(np.zeros(1000, "c8"), OTHER.astype("c8")) == "with 1000 values changed"


def test_the_angle_of_a_few_elements_says_nothing():
    assert said(np.array([1, 0.5], "f4"), np.array([-0.5, 1], "f4")) == "perturbed"


def test_a_scalar_is_one_value():
    assert said(np.array([3.0], "f4"), np.array([4.0], "f4")) == "with 1 value changed"


def test_a_tally_puts_the_most_frequent_first():
    what = ["perturbed"] * 13 + ["with 4 values zeroed"] + ["scaled by 0.5"] * 14
    assert tally(206, what) == "28 of 206 weights changed: 14 scaled by 0.5, 13 perturbed, 1 with 4 values zeroed"
    assert tally(206, []) == "206 weights are equal"
    assert tally(1, []) == "1 weight is equal"
