"""What a plan says of training loops of one's own holds, on each backend, and `carry_optimizer` makes them go on."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, sequential

from weightkit.training import carry_optimizer, freeze, unfreeze
from weightkit.training.optimizer.slot_values import values_of


class TensorFlowLoop:
    """A train step in a ``tf.function``."""

    def __init__(self, model, optimizer):
        import tensorflow as tf  # noqa: PLC0415

        self.model = model

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(X) - Y) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        self.step = step


class JaxLoop:
    """A stateless train step under ``jax.jit``, as in Keras' guide: the state is taken once, before the loop."""

    def __init__(self, model, optimizer):
        import jax  # noqa: PLC0415

        self.model, self.optimizer = model, optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)

        def loss_of(trained, rest):
            outputs, rest = model.stateless_call(trained, rest, X)
            return ((outputs - Y) ** 2).mean(), rest

        @jax.jit
        def step(trained, rest, state):
            (_, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(trained, rest)
            trained, state = optimizer.stateless_apply(state, gradients, trained)
            return trained, rest, state

        self.compiled = step
        self.take()

    def take(self):
        model = self.model
        self.lists = model.trainable_variables, model.non_trainable_variables, self.optimizer.variables

    def step(self):
        new = self.compiled(*([one.value for one in listed] for listed in self.lists))
        for listed, values in zip(self.lists, new, strict=True):
            for variable, value in zip(listed, values, strict=True):
                variable.assign(value)


class TorchLoop:
    """A train step of PyTorch with an optimizer of Keras, its forward pass under ``torch.compile``."""

    def __init__(self, model, optimizer):
        import torch  # noqa: PLC0415

        self.model, self.optimizer = model, optimizer
        self.no_grad = torch.no_grad
        self.forward = torch.compile(model, backend="eager")
        self.x, self.y = map(keras.ops.convert_to_tensor, (X, Y))
        if not optimizer.built:
            optimizer.build(model.trainable_variables)

    def step(self):
        self.model.zero_grad()
        ((self.forward(self.x) - self.y) ** 2).mean().backward()
        trained = self.model.trainable_variables
        with self.no_grad():
            self.optimizer.apply([one.value.grad for one in trained], trained)


LOOPS = {"tensorflow": TensorFlowLoop, "jax": JaxLoop, "torch": TorchLoop}
BACKEND = keras.backend.backend()


def moved(loop):
    before = [values_of(one) for one in loop.model.variables]
    loop.step()
    return [not np.array_equal(was, values_of(one)) for was, one in zip(before, loop.model.variables, strict=True)]


@pytest.mark.every_backend
def test_a_loop_keeps_or_follows_the_flags_as_the_note_says_and_goes_on_with_a_carried_optimizer():
    model, optimizer = sequential(), keras.optimizers.Adam(0.01)
    loop = LOOPS[BACKEND](model, optimizer)
    assert all(moved(loop))
    plan = freeze(model, "part")
    [note] = [one for one in plan.notes if one.startswith("in a training loop of your own: ")]
    # A traced step keeps the earlier flags on TensorFlow and JAX; PyTorch's follows at once.
    assert moved(loop) == ([False] * 2 + [True] * 4 if BACKEND == "torch" else [True] * 6)
    assert ("earlier flags" in note) == (BACKEND != "torch")
    if BACKEND == "jax":
        loop.take()
        with pytest.raises(ValueError, match="optimizer_variables"):
            loop.step()
    optimizer = carry_optimizer(optimizer, model).optimizer
    loop = LOOPS[BACKEND](model, optimizer)
    assert moved(loop) == [False] * 2 + [True] * 4
    unfreeze(model, "part")
    loop = LOOPS[BACKEND](model, carry_optimizer(optimizer, model).optimizer)
    assert all(moved(loop))


@pytest.mark.every_backend
def test_an_optimizer_of_keras_refuses_weights_that_were_unfrozen_under_it():
    model, optimizer = sequential(), keras.optimizers.Adam(0.01)
    freeze(model, "part")
    optimizer.build(model.trainable_variables)
    unfreeze(model, "part")
    with pytest.raises(ValueError, match=r"Unknown variable|optimizer_variables"):
        LOOPS[BACKEND](model, optimizer).step()


@pytest.mark.every_backend
@pytest.mark.skipif(BACKEND != "torch", reason="an optimizer of torch.optim")
def test_an_optimizer_of_pytorch_moves_a_frozen_weight_that_has_a_gradient():
    import torch  # noqa: PLC0415

    model = sequential()
    loop = TorchLoop(model, keras.optimizers.Adam())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)

    def step(*, cleared=True):
        optimizer.zero_grad(set_to_none=cleared)
        ((loop.forward(loop.x) - loop.y) ** 2).mean().backward()
        optimizer.step()

    loop.step = step
    step()
    freeze(model, "part")
    loop.step = lambda: step(cleared=False)
    assert moved(loop)[:2] == [True] * 2
    loop.step = step
    assert moved(loop)[:2] == [False] * 2


@pytest.mark.every_backend
@pytest.mark.skipif(BACKEND == "jax", reason="its loops do not tell the optimizer of their steps")
def test_a_loop_of_ones_own_on_a_compiled_model_is_told_to_take_the_new_optimizer():
    model = compiled()
    loop = LOOPS[BACKEND](model, model.optimizer)
    loop.step()
    plan = freeze(model, "part")
    assert "loop of your own, take model.optimizer again" in plan.notes[-1]
    assert moved(loop)[:2] == [BACKEND == "tensorflow"] * 2  # traced by the earlier flags
    loop = LOOPS[BACKEND](model, model.optimizer)
    assert moved(loop) == [False] * 2 + [True] * 4
    model.fit(X, Y, verbose=0)
    assert "loop of your own" not in str(plan.undo()) + str(freeze(model, "part")) + str(freeze(model, "middle"))


def test_a_note_is_given_where_fit_does_not_train_by_the_flags_yet():
    assert "loop of your own" in str(freeze(compiled(), "part", recompile=False))
    assert "loop of your own" not in str(freeze(compiled(), "part"))
