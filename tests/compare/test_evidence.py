"""A number that was fitted to a weight is told only where enough elements speak for it."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(0)
KERNEL, BIAS = RNG.standard_normal((8, 1)).astype("f4"), np.array([0.3], "f4")
TWO = np.array([0.7, -0.2], "f4")


def scaled(layers, factor=0.125):
    return {
        layer: {name: values * values.dtype.type(factor) for name, values in held.items()}
        for layer, held in layers.items()
    }


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8"])
def test_one_element_that_was_scaled_with_its_layer_is_told_so(told, dtype):
    layers = {"d": {"kernel": KERNEL.astype(dtype), "bias": BIAS.astype(dtype)}}
    words = {found for _, found in told(layers, scaled(layers)).values()}
    assert words == {"scaled by 0.125"}


def test_one_element_is_changed_where_its_layer_has_another_factor_or_none(told):
    layers = {"d": {"kernel": KERNEL, "bias": BIAS}, "e": {"bias": BIAS}}
    made = scaled(layers)
    made["d"]["bias"] = BIAS * np.float32(0.4)
    assert told(layers, made) == {
        "d/kernel": ("differs", "scaled by 0.125"),
        "d/bias": ("differs", "with 1 value changed"),
        "e/bias": ("differs", "with 1 value changed"),
    }


def test_two_elements_prove_a_factor_only_together_with_others(told):
    alone = {"d": {"bias": TWO}}
    assert told(alone, scaled(alone)) == {"d/bias": ("differs", "with 2 values changed")}
    two = {"d": {"bias": TWO}, "e": {"bias": TWO}}
    assert {found for _, found in told(two, scaled(two)).values()} == {"scaled by 0.125"}


def test_another_sign_is_told_of_two_elements(told):
    assert told({"d": {"bias": TWO}}, {"d": {"bias": -TWO}}) == {"d/bias": ("differs", "sign flipped")}
