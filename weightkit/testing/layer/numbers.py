"""Points 2, 10, 13 and 14: what a layer computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject, State, as_list, in_type, packer

_REAL = {"float16", "bfloat16", "float32", "float64"}


class NumberPoints(LayerSubject):
    """What a layer computes."""

    @point(2)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_it_gives_the_numbers_that_are_expected(self, dtype: str) -> None:
        for shape in self.input_shapes:
            self._against_the_oracle(shape, dtype, training=False)

    @point(2, "stochastic")
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_it_gives_the_numbers_that_are_expected_in_training(self, dtype: str) -> None:
        for shape in () if self.exempt("stochastic") else self.input_shapes:
            self._against_the_oracle(shape, dtype, training=True)

    def _against_the_oracle(self, shape: Any, dtype: str, *, training: bool) -> None:
        with backends.double_precision():
            layer = self.built(shape, dtype=dtype)
            inputs = in_type(self.make_inputs(shape, seed=1), dtype)
            expected = self.expected(self.weights_by_name(layer), in_type(inputs, "float64"), training=training)
            self.close(backends.array(layer(inputs, training=training)), expected, dtype)

    @point(10)
    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"])
    def test_its_types_are_those_of_its_policy_and_large_numbers_make_no_nan(self, policy: str) -> None:
        policies = backends.keras.DTypePolicy(policy)
        with backends.double_precision():
            layer = self.built(dtype=policy)
            # The square of 1e4 is beyond float16, which ends at 65,504.
            for scale in (1.0, 1e4):
                inputs = [one * np.float32(scale) if one.dtype.kind == "f" else one for one in self._arrays()]
                for training in (False, True):
                    output = layer(packer(self)(inputs), training=training)
                    kind = backends.keras.backend.standardize_dtype(output.dtype)
                    assert kind == policies.compute_dtype
                    assert not np.isnan(backends.array(output).astype(np.float64)).any()
            types = {v.dtype for v in layer.weights if v.dtype in _REAL}
            assert types <= {policies.variable_dtype}

    def _arrays(self) -> list[np.ndarray]:
        return as_list(self.make_inputs(self.shape, seed=4))

    @point(13)
    def test_outside_training_it_gives_the_same_again(self) -> None:
        layer, inputs = self.built(), self.make_inputs(self.shape)
        first = backends.array(layer(inputs, training=False))
        np.testing.assert_array_equal(backends.array(layer(inputs, training=False)), first)
        np.testing.assert_array_equal(backends.array(self.twin(layer)(inputs, training=False)), first)

    @point(13)
    def test_the_same_seed_gives_the_same_in_training(self) -> None:
        layer, inputs = self.built(), self.make_inputs(self.shape)
        other = self.twin(layer)
        # Twice, since the seed's state must move on in both alike.
        for _ in range(2):
            one, two = (backends.array(each(inputs, training=True)) for each in (layer, other))
            np.testing.assert_array_equal(one, two)

    @point(13, "stochastic", "stateful_in_training")
    def test_in_training_it_gives_the_same_again(self) -> None:
        layer, inputs = self.built(), self.make_inputs(self.shape)
        first, second = (backends.array(layer(inputs, training=True)) for _ in range(2))
        if self.exempt("stochastic"):
            assert (first != second).any(), "it is declared to be stochastic, and gives the same twice"
        elif not self.exempt("stateful_in_training"):
            np.testing.assert_array_equal(first, second)

    @point(14)
    def test_a_stateless_call_gives_the_same_and_changes_nothing(self) -> None:
        layer, inputs = self.built(), self.make_inputs(self.shape)
        state = State(layer)
        before = [backends.array(v.value).copy() for v in layer.variables]
        values = [[v.value for v in some] for some in (layer.trainable_variables, layer.non_trainable_variables)]
        tensors = packer(self)([backends.tensor(one) for one in as_list(inputs)])
        mode = backends.stateless_arguments(layer, training=True)
        output, after = layer.stateless_call(*values, tensors, **mode)
        output, after = backends.array(output), [backends.array(one) for one in after]
        for variable, value in zip(layer.variables, before, strict=True):
            np.testing.assert_array_equal(backends.array(variable.value), value)
        # From the same state a call draws the same numbers.
        state.restore()
        np.testing.assert_array_equal(backends.array(layer(inputs, training=True)), output)
        for variable, value in zip(layer.non_trainable_variables, after, strict=True):
            np.testing.assert_array_equal(backends.array(variable.value), value)

    @point(14, "stateful_in_training", "stochastic")
    def test_training_leaves_its_own_state(self) -> None:
        layer = self.built()
        before = [backends.array(v.value).copy() for v in layer.variables]
        layer(self.make_inputs(self.shape), training=True)
        same = [np.array_equal(backends.array(v.value), old) for v, old in zip(layer.variables, before, strict=True)]
        assert all(same) is (self.exempt("stateful_in_training", "stochastic") is None)
