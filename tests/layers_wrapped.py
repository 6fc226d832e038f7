"""What tests of computed weights share: the contract's subjects, and models to wrap."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import full
import keras
import numpy as np
from layers.own import GOLDEN

from weightkit.layers import Parametrized
from weightkit.testing.layer.contract import LayerContract
from weightkit.testing.layer.exemptions import point

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_WRAPPER = ({"layer": 3}, {"weights": 3}, {"targets": 3}, {"targets": {"kernel": 3}}, {"kernel": 3})
OF_LAYER = ("name", "dtype", "kernel_regularizer", "kernel_constraint")


class Wrapped(LayerContract):
    """A Dense with its kernel computed; settings of the parametrization and arguments of the layer may be mixed."""

    names_in_files = True
    imports = ("weightkit.layers",)
    thorough = full.enabled
    second_setting = False
    parametrization: ClassVar[Any]
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.bad_arguments = (*OF_WRAPPER, *cls.__dict__.get("bad_arguments", ()))
        cls.golden = GOLDEN / f"{cls.__name__.removeprefix('Test')}.json"

    def own_arguments(self):
        """The wrapper's, and the settings of the parametrization."""
        settings = [one.name for one in dataclasses.fields(type(self).parametrization) if one.init]
        return [*super().own_arguments(), *settings]

    def described(self):
        """As a file has it: built, so that it says where the weights are."""
        return self.built(name="subject")

    def make_layer(self, **overrides):
        of_layer = {key: overrides.pop(key) for key in OF_LAYER if key in overrides}
        of_wrapper = {key: overrides.pop(key) for key in ("weights", "targets") if key in overrides}
        layer = overrides.pop("layer", None) or keras.layers.Dense(3, bias_initializer="normal", **of_layer)
        kernel = overrides.pop("kernel", None) or type(self).parametrization(**{**self.settings, **overrides})
        return Parametrized(layer, kernel=kernel, **of_wrapper)

    def kernel(self, weights: dict[str, np.ndarray]) -> np.ndarray:
        """The kernel that NumPy computes from the weights, by their own names."""
        raise NotImplementedError

    def expected(self, weights, inputs, *, training):
        named = {path.rpartition("/")[2]: value for path, value in weights.items()}
        return inputs @ self.kernel(named) + named["bias"]

    @point(18)
    def test_regularizers_and_constraints_act_on_their_weights(self):
        layer = self.built(kernel_regularizer=keras.regularizers.L2(0.1))
        layer(self.make_inputs(self.shape))
        np.testing.assert_allclose([array(loss) for loss in layer.losses], [0.1 * np.sum(computed(layer) ** 2)], 1e-5)
        layer.trainable = False
        assert layer.losses == []
        self.assert_unit_norm(self.built(kernel_constraint=keras.constraints.UnitNorm(axis=None)))

    def assert_unit_norm(self, layer):
        """The constraint applies to the computed kernel."""
        np.testing.assert_allclose(np.linalg.norm(computed(layer)), 1, 1e-5)

    @point(18)
    def test_every_trainable_weight_can_be_regularized_and_constrained(self):
        """What a parametrization adds is regularized through the weight that is computed from it."""
        layer = self.built(kernel_regularizer=keras.regularizers.L2(0.1))
        model = keras.Sequential([keras.Input((4,)), layer])
        with_loss, without = model.losses[0], computed(layer)
        layer.computed[0].weight.variable.assign(2 * array(layer.computed[0].weight.variable.value))
        np.testing.assert_allclose(array(with_loss), 0.1 * np.sum(without**2), 1e-5)
        np.testing.assert_allclose(array(model.losses[0]), 0.1 * np.sum(computed(layer) ** 2), 1e-5)


def transformer():
    inputs = keras.Input((6, 8))
    attended = keras.layers.MultiHeadAttention(2, 4, name="mha", dropout=0.1)(inputs, inputs)
    hidden = keras.layers.LayerNormalization(name="norm")(keras.layers.Add()([inputs, attended]))
    body = ffn()
    return keras.Model(inputs, keras.layers.Add()([hidden, body(hidden)]))


def ffn():
    return keras.Sequential([keras.layers.Dense(16, "relu", name="up"), keras.layers.Dense(8, name="down")], name="ffn")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def computed(layer, place=0):
    """The present value of a weight that is computed."""
    return array(layer.computed[place].value(training=False))
