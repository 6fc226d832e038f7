"""The contract of stores, kept by models in memory: run by the tests with pytest, in a process of one backend."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from weightkit import open_weights
from weightkit.testing import StoreContract


class TestModel(StoreContract):
    def make_store(self, folder, values):
        model = keras.Sequential(
            [keras.Input((3,)), layers.Dense(4, name="first"), layers.Dense(2, name="second")], name="model"
        )
        for variable, value in zip(model.weights, values.values(), strict=True):
            variable.assign(value)
        self.variables = {
            f"layers/{key}/vars/{i}": variable
            for key, layer in zip(("dense", "dense_1"), model.layers, strict=True)
            for i, variable in enumerate(layer.weights)
        }
        return open_weights(model)

    def test_notebooks_show_its_weights_in_a_table(self, store):
        assert all(f"<td>{ref.path}</td>" in store._repr_html_() for ref in store)

    def values_of(self, store):
        return {
            structure: np.array(keras.ops.convert_to_numpy(variable.value))
            for structure, variable in self.variables.items()
        }


class TestVariables(StoreContract):
    def make_store(self, folder, values):
        self.variables = [
            keras.Variable(
                value, dtype=value.dtype.name, trainable=value.dtype.kind == "f", name=path.replace("/", "_")
            )
            for path, value in values.items()
        ]
        return open_weights(self.variables)

    def values_of(self, store):
        return {variable.path: np.array(keras.ops.convert_to_numpy(variable.value)) for variable in self.variables}


class TestNarrowVariables(TestVariables):
    VALUES = {  # noqa: RUF012
        "half": np.linspace(0, 1, 6).astype(np.float16),
        "whole": np.arange(6, dtype=np.int32).reshape(2, 3),
        "small": np.arange(6, dtype=np.int8),
    }


class TestBfloat16(TestVariables):
    VALUES = {"brain": StoreContract.VALUES["first/kernel"], "other": StoreContract.VALUES["first/bias"]}  # noqa: RUF012

    def make_store(self, folder, values):
        self.variables = [keras.Variable(value, dtype="bfloat16", name=name) for name, value in values.items()]
        return open_weights(self.variables)

    def values_of(self, store):
        import ml_dtypes  # noqa: PLC0415

        return {
            variable.path: np.array(keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))).astype(
                ml_dtypes.bfloat16
            )
            for variable in self.variables
        }
