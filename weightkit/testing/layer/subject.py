"""What a layer's author declares, and what every point of the contract uses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from weightkit.testing.layer import backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from weightkit.testing.layer.exemptions import Exemption

Shape = tuple[int, ...]
Inputs = np.ndarray | list[np.ndarray]
"""The inputs of a layer: one array, or a list of them."""


class LayerSubject:
    """The declarations. `make_layer` and `expected` are required; the others have defaults that fit most layers."""

    input_shapes: ClassVar[Sequence[Shape | tuple[Shape, ...]]] = ((3, 4),)
    """Input shapes with the batch axis, one for each supported rank; the first is the usual one. For a layer that
    takes a list, tuples of shapes."""
    known_axes: ClassVar[tuple[int, ...]] = (-1,)
    """Axes whose size the layer must know when it is built; all others may be unknown."""
    exemptions: ClassVar[Sequence[Exemption]] = ()
    bad_arguments: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Wrong overrides of `make_layer`: the message must name the first argument and its value."""
    golden: ClassVar[Path | None] = None
    """A JSON file with the layer's configuration; None tests only the round trip, and the report says so."""
    gradient_factor: ClassVar[float | None] = None
    """For ``gradient=reversed``: the gradient is minus this factor times the derivative; None if it is not known."""
    imports: ClassVar[Sequence[str]] = ()
    """Modules that a new process imports before it loads a model; by default the one that defines the layer."""
    thorough: ClassVar[bool] = False
    """Whether the layer is also compiled in float64 and on every shape, not only on the usual one, and trained in
    compiled steps, not in eager ones, which take a tenth of the time. Retracing is always tested in compiled steps."""
    tolerances: ClassVar[Mapping[str, float]] = {"float32": 1e-5, "float64": 1e-12}
    """How far numbers may be off, relative to the largest, for each dtype of the computation."""

    def make_layer(self, **overrides: Any) -> Any:
        """A new, unbuilt layer; ``overrides`` are more arguments, such as ``dtype`` and ``name``.

        A layer that draws numbers is made with a fixed seed.
        """
        raise NotImplementedError

    def described(self) -> Any:
        """The layer whose configuration is in the golden file: a new one named ``subject``, unless overridden."""
        return self.make_layer(name="subject")

    def own_arguments(self) -> list[str]:
        """The arguments that need a wrong value: the constructor's, without those of every Keras layer."""
        keras_own = {*inspect.signature(backends.keras.layers.Layer.__init__).parameters, "dtype", "name", "trainable"}
        parameters = inspect.signature(type(self.make_layer()).__init__).parameters.values()
        named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        return [name for name in named if name not in keras_own]

    def make_inputs(self, shape: Any, seed: int = 0) -> Inputs:
        """Inputs of a shape: normal numbers, float32, unless overridden."""
        generator = np.random.default_rng(seed)
        if shape and isinstance(shape[0], tuple):
            return [generator.normal(size=one).astype(np.float32) for one in shape]
        one: np.ndarray = generator.normal(size=shape).astype(np.float32)
        return one

    def expected(self, weights: Mapping[str, np.ndarray], inputs: Any, *, training: bool) -> np.ndarray:
        """What the layer must return, in plain NumPy.

        Args:
            weights: The layer's weights in float64, by name (of weights of inner layers, by path).
            inputs: What it is called on, in float64 unless they are integers.
            training: Whether it is called as in training; never asked of what is ``stochastic``.
        """
        raise NotImplementedError

    def expected_mask(self, inputs: Any, mask: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """The mask of the output if the (first) input has ``mask``: the same, unless overridden."""
        return mask

    def settle(self, layer: Any) -> None:
        """Change a built layer's weights, if the initial ones hide what it does (a gain of zero)."""

    @pytest.fixture(autouse=True)
    def _record(self, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
        """Record for the report which point was tested, or which exemption applied."""
        self._tell = record_property
        test: Any = getattr(request, "function", None)
        if hasattr(test, "point"):
            exemption = self.exempt(*test.grounds)
            record_property("point", test.point)
            record_property("exempt", "" if exemption is None else f"{exemption.ground}: {exemption.reason}")

    def not_looked_at(self, reason: str) -> None:
        """Record for the report that a test checked nothing, so it does not count as passed."""
        tell = getattr(self, "_tell", None)
        if tell is not None:
            tell("not_looked_at", reason)

    @property
    def shape(self) -> Any:
        """The usual shape."""
        return self.input_shapes[0]

    @property
    def takes_many(self) -> bool:
        """Whether it is called on a list."""
        return isinstance(self.shape[0], tuple)

    def exempt(self, *grounds: str) -> Exemption | None:
        """The declared exemption on one of these grounds; ``gradient`` means all of its kinds."""
        matching = (e for e in self.exemptions if e.ground in grounds or e.ground.partition("=")[0] in grounds)
        return next(matching, None)

    def built(self, shape: Any = None, **overrides: Any) -> Any:
        """A layer that was called once on inputs of a shape, with its final weights."""
        layer = self.make_layer(**overrides)
        state = None if shape is None else shape
        layer(self.make_inputs(self.shape if state is None else state))
        self.settle(layer)
        return layer

    def twin(self, layer: Any, shape: Any = None, **overrides: Any) -> Any:
        """Another layer with the same weights."""
        other = self.built(shape, **overrides)
        for mine, theirs in zip(other.weights, layer.weights, strict=True):
            mine.assign(backends.array(theirs.value))
        return other

    def weights_by_name(self, layer: Any) -> dict[str, np.ndarray]:
        """The weights in float64, by their path inside the layer."""
        prefix = f"{layer.path}/"
        return {
            variable.path.removeprefix(prefix): backends.array(variable.value).astype(np.float64)
            if "float" in variable.dtype
            else backends.array(variable.value)
            for variable in layer.weights
        }

    def model(self, layer: Any, shape: Any = None, *, unknown: bool = False) -> Any:
        """A Functional model with only that layer."""
        keras = backends.keras
        shape = self.shape if shape is None else shape
        shapes = shape if self.takes_many else (shape,)
        arrays = as_list(self.make_inputs(shape))
        inputs = [
            keras.Input(self._partly_unknown(one) if unknown else one[1:], dtype=values.dtype.name)
            for one, values in zip(shapes, arrays, strict=True)
        ]
        return keras.Model(inputs if self.takes_many else inputs[0], layer(inputs if self.takes_many else inputs[0]))

    def _partly_unknown(self, shape: Shape) -> tuple[int | None, ...]:
        known = {axis % len(shape) for axis in self.known_axes}
        return tuple(size if axis in known else None for axis, size in enumerate(shape))[1:]

    def close(self, first: Any, second: Any, dtype: str, factor: float = 1.0) -> None:
        """Assert that two results agree in shape, and in value to the tolerance of a type."""
        first, second = np.asarray(first), np.asarray(second)
        assert first.shape == second.shape, f"{first.shape} is not {second.shape}"
        bound = self.tolerances[dtype] * factor
        # A small element of a sum has the rounding errors of the large ones.
        largest = float(np.max(np.abs(second), initial=1.0, where=np.isfinite(second)))
        np.testing.assert_allclose(first, second, rtol=0, atol=bound * largest)


def as_list(inputs: Any) -> list[Any]:
    """One input or several, as a list."""
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def packer(subject: LayerSubject) -> Any:
    """A function from a list of inputs to the layer's argument."""
    return (list) if subject.takes_many else (lambda inputs: inputs[0])


def in_type(inputs: Any, dtype: str) -> Any:
    """Inputs with their real numbers in another type; integers stay."""
    if isinstance(inputs, list):
        return [in_type(one, dtype) for one in inputs]
    return inputs.astype(dtype) if inputs.dtype.kind == "f" else inputs


class State:
    """The values of a layer's variables at one moment; restoring them repeats its random draws."""

    def __init__(self, layer: Any) -> None:
        self._values = [(variable, backends.array(variable.value).copy()) for variable in layer.variables]

    def restore(self) -> None:
        """Restore the value of every variable."""
        for variable, values in self._values:
            variable.assign(values)
