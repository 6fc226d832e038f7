"""Point 3: the gradients of a layer equal finite differences in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject, State, as_list, in_type, packer

_STEP = 1e-5  # of a difference in float64, whose error is then about 1e-10
_FLAT = 1e-9  # a slope that is zero but for rounding, and so has no sign
_DIRECTIONS = 3  # along which a gradient is compared with differences


class GradientPoints(LayerSubject):
    """The gradients of a layer's input and weights."""

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
        assert along == pytest.approx(slope, rel=1e-6, abs=1e-7), f"the gradient is {along}, the difference {slope}"

    def _look_whether_true(self, ground: str, gradient: np.ndarray | None, probe: _Probe, index: int) -> None:
        """Check that an exemption for the gradient of an input is true."""
        if ground == "gradient=none":
            assert gradient is None or not gradient.any(), "the exemption says that there is no gradient, got one"
            return
        assert gradient is not None
        assert gradient.any(), f"the exemption says that the gradient is {ground.partition('=')[2]}, got none"
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
            message = f"the gradient is {along}, the difference {slope}"
            if self.gradient_factor is not None:
                assert along == pytest.approx(-self.gradient_factor * slope, rel=1e-6, abs=1e-7), message
            elif abs(slope) > _FLAT:
                assert along * slope < 0, f"{message}: it is not reversed"


class _Probe:
    """A layer in float64 and a number that depends on its output, differentiated in two ways."""

    def __init__(self, subject: LayerSubject, shape: Any, *, training: bool) -> None:
        self.layer = subject.built(shape, dtype="float64")
        self.inputs = as_list(in_type(subject.make_inputs(shape, seed=3), "float64"))
        self._pack, self._training = packer(subject), training
        self._state = State(self.layer)
        self._generator = np.random.default_rng(5)
        output = backends.array(self.layer(self._pack(self.inputs), training=training))
        self.cotangent = self._generator.normal(size=output.shape)

    def directions(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """A few random directions."""
        return [self._generator.normal(size=shape) for _ in range(_DIRECTIONS)]

    def gradients(self) -> Any:
        """Gradients from the backend."""
        self._state.restore()
        return backends.gradients(self.layer, self.inputs, self.cotangent, self._pack, training=self._training)

    def slope_of_input(self, index: int, direction: np.ndarray) -> float:
        """The slope along a direction of an input, by finite differences."""

        def at(step: float) -> float:
            moved = [one + step * direction if i == index else one for i, one in enumerate(self.inputs)]
            return self._number(moved)

        # Central differences, whose error shrinks with the square of the step.
        return (at(_STEP) - at(-_STEP)) / (2 * _STEP)

    def slope_of_weight(self, variable: Any, values: np.ndarray, direction: np.ndarray) -> float:
        """The slope along a direction of a weight, by finite differences."""

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
