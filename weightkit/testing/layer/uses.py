"""Points 9, 11, 12, 15, 17, 18 and 19: a layer in the models that people make of it."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import numpy as np
import pytest

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject, as_list

_STEPS, _CALLS = 10, 100


class UsePoints(LayerSubject):
    """A layer in the models that people make of it."""

    regularized: ClassVar[dict[str, str] | None] = None
    """Names of weights by the prefix of the arguments that regularize and constrain them; by default each argument
    ``NAME_regularizer`` of the class belongs to the weight ``NAME``."""

    @point(9)
    def test_unknown_sizes_and_batches_of_none_and_one_will_do(self) -> None:
        for shape in self.input_shapes:
            layer = self.built(shape)
            model = self.model(layer, shape, unknown=True)
            for batch in (0, 1, 5) if shape == self.shape else (1,):
                inputs = self.make_inputs(self._resized(shape, batch))
                output = model(inputs)
                direct = layer(inputs)
                assert output.shape[0] == batch
                np.testing.assert_array_equal(backends.array(output), backends.array(direct))

    def _resized(self, shape: Any, batch: int) -> Any:
        """Other sizes for axes whose size may be unknown."""
        if isinstance(shape[0], tuple):
            return tuple(self._resized(one, batch) for one in shape)
        free = self._partly_unknown(shape)
        # Another size than the layer was built with.
        return (batch, *(size + 2 if axis is None else size for size, axis in zip(shape[1:], free, strict=True)))

    @point(11)
    def test_masks_come_out_as_they_are_meant_to(self) -> None:
        for shape in self.input_shapes:
            first: Any = shape[0] if self.takes_many else shape
            layer, inputs = self.built(shape), self.make_inputs(shape)
            masked = first[:2] if len(first) > 2 else first[:1]  # noqa: PLR2004  # a mask has no axis of channels
            mask = np.arange(int(np.prod(masked))).reshape(masked) % 3 != 1
            expected = self.expected_mask(inputs, mask)
            masks = [backends.tensor(mask), *[None] * (len(as_list(inputs)) - 1)]
            found = layer.compute_mask(inputs, masks if self.takes_many else masks[0])
            assert (found is None) is (expected is None), f"the mask of the output is {found}"
            if expected is not None:
                np.testing.assert_array_equal(backends.array(found), expected)

    @point(12)
    def test_frozen_it_has_no_slots_and_stays_and_unfrozen_it_trains(self) -> None:
        layer = self.built()
        slots = list(layer.trainable_variables)
        layer.trainable = False
        model, optimizer = self._compiled_model(layer)
        assert len(model.trainable_variables) == 2  # noqa: PLR2004  # the head's
        before = [backends.array(v.value).copy() for v in slots]
        self._fit(model)
        for variable, old in zip(slots, before, strict=True):
            np.testing.assert_array_equal(backends.array(variable.value), old)
        # Adam has two slots for each weight; the head has a kernel and a bias.
        assert self._slots(optimizer) == 2 * 2
        layer.trainable = True
        assert [id(v) for v in layer.trainable_variables] == [id(v) for v in slots]
        model, optimizer = self._compiled_model(layer)
        self._fit(model)
        assert self._slots(optimizer) == 2 * (2 + len(slots))
        for variable, old in zip(slots, before, strict=True):
            assert (backends.array(variable.value) != old).any(), f"{variable.path} does not train"

    def _compiled_model(self, layer: Any, *, traced: bool | None = None) -> tuple[Any, Any]:
        """The layer with a head, and its optimizer; eager by default, since tracing takes a second."""
        keras = backends.keras
        body = self.model(layer)
        flat = _flat(body.output)
        model = keras.Model(body.inputs if self.takes_many else body.inputs[0], keras.layers.Dense(1)(flat))
        optimizer = keras.optimizers.Adam(0.01)
        model.compile(optimizer, "mse", run_eagerly=not (self.thorough if traced is None else traced))
        return model, optimizer

    def _fit(self, model: Any) -> None:
        inputs = self.make_inputs(self.shape, seed=6)
        targets = np.arange(as_list(inputs)[0].shape[0], dtype=np.float32)[:, None]
        for _ in range(3):
            model.train_on_batch(inputs, targets)

    @staticmethod
    def _slots(optimizer: Any) -> int:
        return len(optimizer.variables) - 2  # the counter and the learning rate

    @point(15)
    def test_it_is_traced_once_and_not_again_in_ten_steps(self) -> None:
        layer = self.built()
        model, _ = self._compiled_model(layer, traced=True)
        calls: list[None] = []
        original = layer.call

        def counted(*arguments: Any, **options: Any) -> Any:
            calls.append(None)
            return original(*arguments, **options)

        layer.call = counted
        inputs = self.make_inputs(self.shape)
        targets = np.zeros((as_list(inputs)[0].shape[0], 1), np.float32)
        model.train_on_batch(inputs, targets)
        model.train_on_batch(inputs, targets)  # optimizers may trace twice before they settle
        settled = len(calls)
        for _ in range(_STEPS):
            model.train_on_batch(inputs, targets)
        # PyTorch runs the Python code in every step; the others run what they traced.
        assert len(calls) - settled == (_STEPS if backends.backend() == "torch" else 0)

    @point(15)
    def test_a_hundred_calls_add_no_variable(self) -> None:
        layer, inputs = self.built(), self.make_inputs(self.shape)
        before = [id(v) for v in layer.variables]
        for number in range(_CALLS):
            layer(inputs, training=number % 2 == 0)
        assert [id(v) for v in layer.variables] == before
        # Losses must not pile up from call to call either.
        assert layer.losses == [] or len(layer.losses) <= len(layer.trainable_variables)

    @point(17)
    def test_shared_it_is_one_layer_with_one_set_of_weights(self) -> None:
        keras = backends.keras
        layer = self.built()
        bodies = [self.model(layer) for _ in range(2)]
        model = keras.Model([body.inputs for body in bodies], [body.output for body in bodies])
        assert len(model.weights) == len(layer.weights)
        one, two = (self.make_inputs(self.shape, seed=seed) for seed in (7, 8))
        outputs = model([as_list(one), as_list(two)])
        for inputs, output in zip((one, two), outputs, strict=True):
            np.testing.assert_array_equal(backends.array(output), backends.array(layer(inputs)))

    @point(18)
    def test_regularizers_act_on_their_weights(self) -> None:
        chosen = self._regularized()
        penalty = backends.keras.regularizers.L2(0.1)
        layer = self.built(**{f"{prefix}_regularizer": penalty for prefix in chosen})
        layer(self.make_inputs(self.shape))
        values = self.weights_by_name(layer)
        found = sorted(float(backends.array(loss)) for loss in layer.losses)
        assert found == _near(sorted(0.1 * float(np.sum(values[weight] ** 2)) for weight in chosen.values()))

    @point(18)
    def test_constraints_hold_their_weights(self) -> None:
        chosen = self._regularized()
        if chosen:
            # Over the whole weight, so that it fits any rank.
            held = {f"{prefix}_constraint": backends.keras.constraints.UnitNorm(axis=None) for prefix in chosen}
            layer = self.built(**held)
            model, _ = self._compiled_model(layer)
            self._fit(model)
            norms = {weight: np.linalg.norm(self.weights_by_name(layer)[weight]) for weight in chosen.values()}
            assert norms == _near(dict.fromkeys(norms, 1.0))

    @point(18)
    def test_every_trainable_weight_can_be_regularized_and_constrained(self) -> None:
        layer = self.built()
        prefix = f"{layer.path}/"
        names = {v.path.removeprefix(prefix) for v in layer.trainable_variables}
        left = sorted(names - set(self._regularized().values()))
        assert left == [], (
            f"no argument regularizes or constrains {', '.join(left)}: take NAME_regularizer and NAME_constraint for "
            "each, or declare `regularized` where the arguments have other names"
        )

    def _regularized(self) -> dict[str, str]:
        if self.regularized is not None:
            return self.regularized
        arguments = inspect.signature(type(self.make_layer()).__init__).parameters
        prefixes = [a.removesuffix("_regularizer") for a in arguments if a.endswith("_regularizer")]
        prefixes = [prefix for prefix in prefixes if prefix != "activity"]
        present = self.weights_by_name(self.built())
        # Some configurations lack a weight, such as a bias, and still take its arguments.
        return {prefix: prefix for prefix in prefixes if prefix in present}

    @point(19)
    def test_functional_and_subclassed_models_give_what_it_gives(self) -> None:
        keras = backends.keras
        layer, inputs = self.built(), self.make_inputs(self.shape)
        direct = backends.array(layer(inputs))

        class Subclassed(keras.Model):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.inner = layer

            def call(self, inputs: Any) -> Any:
                return self.inner(inputs)

        for model in (self.model(layer), Subclassed()):
            model.run_eagerly = not self.thorough
            np.testing.assert_allclose(model.predict(inputs, verbose=0), direct, rtol=1e-5, atol=1e-5)
            assert len(model.weights) == len(layer.weights)

    @point(19)
    def test_sequential_and_time_distributed_give_what_it_gives(self) -> None:
        """Only for layers that take one input: these models cannot hold others."""
        if self.takes_many:
            self.not_looked_at("it takes a list")
            return
        keras = backends.keras
        layer, inputs = self.built(), self.make_inputs(self.shape)
        direct = backends.array(layer(inputs))
        sequential = keras.Sequential([layer])
        sequential.run_eagerly = not self.thorough
        np.testing.assert_allclose(sequential.predict(inputs, verbose=0), direct, rtol=1e-5, atol=1e-5)
        steps = np.stack([inputs, inputs], axis=1)
        output = backends.array(keras.layers.TimeDistributed(layer)(steps))
        for step in range(2):
            np.testing.assert_allclose(output[:, step], direct, rtol=1e-5, atol=1e-5)


def _flat(output: Any) -> Any:
    """A symbolic output as ``(batch, n)``, without its mask: ``Flatten`` warns that it ignores a mask."""
    return backends.keras.ops.reshape(output, (-1, int(np.prod(output.shape[1:]))))


def _near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-4)
