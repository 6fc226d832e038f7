"""Points 2, 3, 4, 10, 13 and 14: what a layer computes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from weightkit.testing import backends
from weightkit.testing.exemptions import point
from weightkit.testing.subject import LayerSubject, State, as_list, in_type

_STEP = 1e-5  # of a difference in float64, whose error is then about 1e-10
_FLAT = 1e-9  # a slope that is zero but for rounding, and so has no sign
_DIRECTIONS = 3  # along which a gradient is compared with differences
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

    @point(3, "gradient")
    def test_the_gradient_of_its_input_is_its_derivative(self) -> None:
        for shape in self.input_shapes:
            for training in (False, True) if shape == self.shape else (False,):
                self._against_differences_of_inputs(shape, training=training)

    @point(3)
    def test_the_gradient_of_every_weight_is_its_derivative(self) -> None:
        for training in (False, True):
            with backends.double_precision():
                probe = _Probe(self, self.shape, training=training)
                _, found = probe.gradients()
                for variable, gradient in zip(probe.layer.trainable_variables, found, strict=True):
                    values = backends.array(variable.value)
                    for direction in probe.directions(values.shape):
                        slope = probe.slope_of_weight(variable, values, direction)
                        self._same_slope(gradient, direction, slope)

    def _against_differences_of_inputs(self, shape: Any, *, training: bool) -> None:
        with backends.double_precision():
            probe = _Probe(self, shape, training=training)
            found, _ = probe.gradients()
            exemption = self.exempt("gradient")
            for index, (values, gradient) in enumerate(zip(probe.inputs, found, strict=True)):
                if values.dtype.kind != "f":
                    assert gradient is None
                elif exemption is None:
                    for direction in probe.directions(values.shape):
                        self._same_slope(gradient, direction, probe.slope_of_input(index, direction))
                else:
                    self._look_whether_true(exemption.ground, gradient, probe, index)

    @staticmethod
    def _same_slope(gradient: np.ndarray | None, direction: np.ndarray, slope: float) -> None:
        along = 0.0 if gradient is None else float(np.sum(gradient * direction))
        assert along == pytest.approx(slope, rel=1e-6, abs=1e-7), f"the gradient says {along}, differences {slope}"

    def _look_whether_true(self, ground: str, gradient: np.ndarray | None, probe: _Probe, index: int) -> None:
        """An exemption is claimed for the gradient of an input: see that it is so."""
        if ground == "gradient=none":
            assert gradient is None or not gradient.any(), "there is a gradient after all"
            return
        assert gradient is not None
        assert gradient.any(), f"there is no gradient, so that it is not {ground.partition('=')[2]}"
        directions = probe.directions(gradient.shape)
        slopes = [(float(np.sum(gradient * d)), probe.slope_of_input(index, d)) for d in directions]
        if ground == "gradient=reversed":
            self._look_whether_reversed(slopes)
        else:
            self.close(gradient, probe.cotangent, "float64")
            assert any(along != pytest.approx(slope, rel=1e-6, abs=1e-7) for along, slope in slopes), (
                "the gradient is the derivative, and needs no exemption"
            )

    def _look_whether_reversed(self, slopes: list[tuple[float, float]]) -> None:
        for along, slope in slopes:
            told = f"the gradient says {along}, differences {slope}"
            if self.gradient_factor is not None:
                assert along == pytest.approx(-self.gradient_factor * slope, rel=1e-6, abs=1e-7), told
            elif abs(slope) > _FLAT:
                assert along * slope < 0, f"{told}: it is not reversed"

    @point(4)
    def test_compiled_it_gives_the_same(self) -> None:
        """On its usual shape, and with WEIGHTKIT_TEST_FULL on all; on PyTorch, whose graphs know no types, in one."""
        self._compiled(training=False)

    @point(4, "stochastic")
    def test_compiled_it_gives_the_same_in_training(self) -> None:
        """What draws numbers gives the same from the same state; TensorFlow's XLA draws others than its graphs do."""
        self._compiled(training=True)

    def _compiled(self, *, training: bool) -> None:
        for dtype in ("float32",) if backends.backend() == "torch" else ("float32", "float64"):
            with backends.double_precision():
                for shape in self.input_shapes if os.environ.get("WEIGHTKIT_TEST_FULL") else [self.shape]:
                    self._compiled_on(shape, dtype, training=training)

    def _compiled_on(self, shape: Any, dtype: str, *, training: bool) -> None:
        layer = self.built(shape, dtype=dtype)
        arrays = as_list(in_type(self.make_inputs(shape, seed=2), dtype))
        state = State(layer)
        values = [backends.array(v.value).copy() for v in layer.variables]
        eager = backends.array(layer(_packer(self)([backends.tensor(one) for one in arrays]), training=training))
        draws = training and self.exempt("stochastic") is not None
        for function in backends.compiled(self._pure(layer, training=training)).values():
            found = []
            for _ in range(2 if draws else 1):
                state.restore()
                found.append(backends.array(function(*self._leaves(values, arrays))))
            self.close(found[0], found[-1] if draws else eager, dtype)

    @staticmethod
    def _leaves(values: list[np.ndarray], arrays: list[np.ndarray]) -> list[Any]:
        if backends.backend() == "jax":  # what it compiles is pure: variables come in as arguments
            return [[backends.tensor(one) for one in values], *(backends.tensor(one) for one in arrays)]
        return [backends.tensor(one) for one in arrays]

    def _pure(self, layer: Any, *, training: bool) -> Any:
        pack = _packer(self)
        if backends.backend() != "jax":
            return lambda *tensors: layer(pack(list(tensors)), training=training)

        def call(values: list[Any], *tensors: Any) -> Any:
            given = list(zip(layer.variables, values, strict=True))
            return backends.with_values(layer, given, pack(list(tensors)), training=training)

        return call

    @point(10)
    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"])
    def test_its_types_are_those_of_its_policy_and_large_numbers_make_no_nan(self, policy: str) -> None:
        policies = backends.keras.DTypePolicy(policy)
        with backends.double_precision():
            layer = self.built(dtype=policy)
            for scale in (1.0, 1e4):
                inputs = [one * np.float32(scale) if one.dtype.kind == "f" else one for one in self._arrays()]
                for training in (False, True):
                    output = layer(_packer(self)(inputs), training=training)
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
        tensors = _packer(self)([backends.tensor(one) for one in as_list(inputs)])
        mode = backends.stateless_arguments(layer, training=True)
        output, after = layer.stateless_call(*values, tensors, **mode)
        output, after = backends.array(output), [backends.array(one) for one in after]
        for variable, value in zip(layer.variables, before, strict=True):
            np.testing.assert_array_equal(backends.array(variable.value), value)
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


def _packer(subject: LayerSubject) -> Any:
    """From a list of inputs to what the layer takes."""
    return (list) if subject.takes_many else (lambda inputs: inputs[0])


class _Probe:
    """A layer in float64 and a number that depends on its output, to be differentiated in two ways."""

    def __init__(self, subject: LayerSubject, shape: Any, *, training: bool) -> None:
        self.layer = subject.built(shape, dtype="float64")
        self.inputs = as_list(in_type(subject.make_inputs(shape, seed=3), "float64"))
        self._pack, self._training = _packer(subject), training
        self._state = State(self.layer)
        self._generator = np.random.default_rng(5)
        output = backends.array(self.layer(self._pack(self.inputs), training=training))
        self.cotangent = self._generator.normal(size=output.shape)

    def directions(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """A few directions in which to go from some values."""
        return [self._generator.normal(size=shape) for _ in range(_DIRECTIONS)]

    def gradients(self) -> Any:
        """By the backend."""
        self._state.restore()
        return backends.gradients(self.layer, self.inputs, self.cotangent, self._pack, training=self._training)

    def slope_of_input(self, index: int, direction: np.ndarray) -> float:
        """By differences."""

        def at(step: float) -> float:
            moved = [one + step * direction if i == index else one for i, one in enumerate(self.inputs)]
            return self._number(moved)

        return (at(_STEP) - at(-_STEP)) / (2 * _STEP)

    def slope_of_weight(self, variable: Any, values: np.ndarray, direction: np.ndarray) -> float:
        """By differences."""

        def at(step: float) -> float:
            self._state.restore()
            variable.assign(values + step * direction)
            return self._number(self.inputs, restore=False)

        slope = (at(_STEP) - at(-_STEP)) / (2 * _STEP)
        self._state.restore()
        return slope

    def _number(self, inputs: list[np.ndarray], *, restore: bool = True) -> float:
        if restore:
            self._state.restore()
        output = self.layer(self._pack(inputs), training=self._training)
        return float(np.sum(backends.array(output) * self.cotangent))
