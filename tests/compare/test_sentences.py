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
    assert said(np.array([1, 0.5], "f4"), np.array([-0.5, 1], "f4")) == "with 2 values changed"


def at_cosine(cosine, norm=1.0):
    """A weight at an angle to `VALUES`, and as long times a number."""
    beside = OTHER - VALUES * (OTHER @ VALUES) / (VALUES @ VALUES)
    made = VALUES * cosine + beside * np.linalg.norm(VALUES) / np.linalg.norm(beside) * (1 - cosine**2) ** 0.5
    return (made * norm).astype("f4")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (at_cosine(0.95), "perturbed"),  # relative L2 is 0.32
        (at_cosine(0.88), "changed"),  # 0.49
        (at_cosine(0.99, 1.7), "changed"),  # 0.72
        (at_cosine(-0.34, 1.9), "changed"),
        (at_cosine(-0.99), "changed"),
        (at_cosine(0.01), "re-initialized or unrelated"),
    ],
)
def test_perturbed_is_only_what_is_still_near(made, words):
    assert said(VALUES, made) == words


def test_two_values_that_sum_to_zero_are_not_scaled_by_what_they_became():
    assert said(np.array([0.7, -0.7], "f4"), np.array([-1.8, 1.8], "f4")) == "with 2 values changed"


@pytest.mark.parametrize(("count", "words"), [(15, "with 15 values changed"), (16, "scaled by about 3")])
def test_about_a_factor_is_told_from_16_elements_on(count, words):
    made = VALUES[:count] * np.float32(3) * (1 + OTHER[:count] * np.float32(1e-5))
    assert said(VALUES[:count], made) == words


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ([0x7FC00000] * 20, [0x7FC00001] * 20),  # NaNs
        ([0x00000000] * 20, [0x80000000] * 20),  # zeros
        ([0x3F800000, 0x40000000, 0x80000000, 0x7FC00000] * 5, [0x3F800000, 0x40000000, 0x00000000, 0xFFC00000] * 5),
    ],
)
def test_other_bits_of_one_value_are_neither_scaled_nor_zeroed(was, is_now):
    a, b = (np.array(bits, np.uint32).view(np.float32) for bits in (was, is_now))
    count = np.count_nonzero(a.view(np.uint32) != b.view(np.uint32))
    assert said(a, b) == f"with {count} values equal except in bits (the sign of zero, or which NaN)"


def test_a_scalar_is_one_value():
    assert said(np.array([3.0], "f4"), np.array([4.0], "f4")) == "with 1 value changed"


def test_a_tally_puts_the_most_frequent_first():
    what = ["perturbed"] * 13 + ["with 4 values zeroed"] + ["scaled by 0.5"] * 14
    assert tally(206, what) == "28 of 206 weights changed: 14 scaled by 0.5, 13 perturbed, 1 with 4 values zeroed"
    assert tally(9, ["changed", "changed", "zeroed"]) == "3 of 9 weights changed: 2 otherwise, 1 zeroed"
    assert tally(9, ["changed", "changed"]) == "2 of 9 weights changed"
    assert tally(206, []) == "206 weights are equal"
    assert tally(1, []) == "1 weight is equal"
