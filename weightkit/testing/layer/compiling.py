"""Point 4: a compiled layer computes the same as an eager one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject, State, as_list, in_type, packer

if TYPE_CHECKING:
    import numpy as np


class CompilingPoints(LayerSubject):
    """A layer in the graphs of its backend."""

    @point(4)
    def test_compiled_it_gives_the_same(self) -> None:
        """On its usual shape in float32; if ``thorough``, on all shapes, and in float64 where graphs have types."""
        self._compiled(training=False)

    @point(4, "stochastic")
    def test_compiled_it_gives_the_same_in_training(self) -> None:
        """The same state gives the same random numbers; TensorFlow's XLA draws other numbers than its graphs."""
        self._compiled(training=True)

    def _compiled(self, *, training: bool) -> None:
        for dtype in ("float32", "float64") if self.thorough and backends.backend() != "torch" else ("float32",):
            with backends.double_precision():
                for shape in self.input_shapes if self.thorough else [self.shape]:
                    self._compiled_on(shape, dtype, training=training)

    def _compiled_on(self, shape: Any, dtype: str, *, training: bool) -> None:
        layer = self.built(shape, dtype=dtype)
        arrays = as_list(in_type(self.make_inputs(shape, seed=2), dtype))
        state = State(layer)
        values = [backends.array(v.value).copy() for v in layer.variables]
        eager = backends.array(layer(packer(self)([backends.tensor(one) for one in arrays]), training=training))
        draws = training and self.exempt("stochastic") is not None
        for function in backends.compiled(self._pure(layer, training=training)).values():
            found = []
            for _ in range(2 if draws else 1):
                state.restore()
                found.append(backends.array(function(*self._leaves(values, arrays))))
            # TensorFlow's XLA draws other numbers than eager code: a call is compared with its repetition.
            self.close(found[0], found[-1] if draws else eager, dtype)

    @staticmethod
    def _leaves(values: list[np.ndarray], arrays: list[np.ndarray]) -> list[Any]:
        if backends.backend() == "jax":  # what it compiles is pure: variables come in as arguments
            return [[backends.tensor(one) for one in values], *(backends.tensor(one) for one in arrays)]
        return [backends.tensor(one) for one in arrays]

    def _pure(self, layer: Any, *, training: bool) -> Any:
        pack = packer(self)
        if backends.backend() != "jax":
            return lambda *tensors: layer(pack(list(tensors)), training=training)

        def call(values: list[Any], *tensors: Any) -> Any:
            given = list(zip(layer.variables, values, strict=True))
            return backends.with_values(layer, given, pack(list(tensors)), training=training)

        return call
