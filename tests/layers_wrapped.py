"""What the contract's subjects that are parametrisations share: one of them around a layer of Keras."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np

from weightkit.layers import Parametrized
from weightkit.testing.layer import LayerContract

OF_LAYER = ("name", "dtype", "kernel_regularizer", "kernel_constraint")


class Wrapped(LayerContract):
    """A Dense with its kernel computed; settings of the parametrisation and arguments of the layer may be mixed."""

    names_in_files = True
    imports = ("weightkit.layers",)
    parametrization: ClassVar[Any]
    settings: ClassVar[dict[str, Any]] = {}

    def make_layer(self, **overrides):
        of_layer = {key: overrides.pop(key) for key in OF_LAYER if key in overrides}
        kernel = type(self).parametrization(**self.settings | overrides)
        return Parametrized(keras.layers.Dense(3, bias_initializer="normal", **of_layer), kernel=kernel)

    def kernel(self, weights: dict[str, np.ndarray]) -> np.ndarray:
        """The kernel that NumPy computes from the weights, by their own names."""
        raise NotImplementedError

    def expected(self, weights, inputs, *, training):
        named = {path.rpartition("/")[2]: value for path, value in weights.items()}
        return inputs @ self.kernel(named) + named["bias"]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def computed(layer, place=0):
    """The present value of a weight that is computed."""
    return array(layer.computed[place].value(training=False))
