"""Mask: entries that are and stay zero."""

from __future__ import annotations

from types import MappingProxyType

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, computed, numbers

from weightkit.errors import RequestError
from weightkit.layers import Mask, MaskedWeights, Parametrized, load_unwrapped, parametrize

PATTERN = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]])


class TestMask(Wrapped):
    parametrization = Mask
    settings = MappingProxyType({"mask": PATTERN})
    bad_arguments = ({"mask": "half"},)

    def kernel(self, weights):
        return weights["kernel"] * weights["kernel_mask"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_is_masked_is_zero_and_is_not_trained(optimizer):
    model = keras.Sequential([keras.Input((4,)), MaskedWeights(keras.layers.Dense(3), PATTERN)])
    layer = model.layers[0]
    begun = keras.ops.convert_to_numpy(layer.layer.kernel.value)
    model.compile(optimizer, "mse")
    model.fit(numbers(8, 4), numbers(8, 3), epochs=3, verbose=0)
    trained = keras.ops.convert_to_numpy(layer.layer.kernel.value)
    np.testing.assert_array_equal(computed(layer)[PATTERN == 0], 0)
    np.testing.assert_array_equal((trained != begun).astype(int), PATTERN)


def test_the_zeros_that_pruning_left_are_the_mask_by_default():
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    dense.kernel.assign(numbers(4, 3) * PATTERN)
    layer = Parametrized(dense, kernel=Mask())
    layer.build((None, 4))
    dense.kernel.assign(np.ones((4, 3)))
    np.testing.assert_array_equal(computed(layer), PATTERN)


def test_other_weights_that_are_loaded_keep_the_mask(tmp_path):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    plain.save_weights(tmp_path / "plain.weights.h5")
    masked = keras.Sequential([keras.Input((4,)), MaskedWeights(keras.layers.Dense(3), PATTERN)])
    masked.save(tmp_path / "masked.keras")
    again = keras.saving.load_model(tmp_path / "masked.keras")
    load_unwrapped(again, tmp_path / "plain.weights.h5")
    np.testing.assert_array_equal(computed(again.layers[0]), plain.get_weights()[0] * PATTERN)


def test_a_mask_of_another_shape_is_refused_by_name():
    with pytest.raises(RequestError, match=r"mask must broadcast to the shape \(4, 3\) of kernel, got shape \(2, 2\)"):
        Parametrized(keras.layers.Dense(3), kernel=Mask(np.ones((2, 2)))).build((None, 4))


def parametrized():
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a")])
    return parametrize(plain, "a", Mask(PATTERN)).layers[0]


def cloned():
    model = keras.Sequential([keras.Input((4,)), MaskedWeights(keras.layers.Dense(3), PATTERN)])
    return keras.models.clone_model(model).layers[0]


@pytest.mark.parametrize("make", [parametrized, cloned])
def test_a_mask_that_was_given_goes_through_configurations(make):
    np.testing.assert_array_equal(computed(make()) != 0, PATTERN != 0)
