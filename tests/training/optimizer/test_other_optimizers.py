"""A model with several optimizers is not compiled again, and a proof puts all of them back."""

from __future__ import annotations

import keras
import pytest
from training_cases import X, Y, compiled, counter, fit, sequential

from weightkit.errors import RequestError
from weightkit.training import freeze, recompile, unfreeze, verify_training
from weightkit.training.optimizer.slot_values import values_of


class Critical(keras.Sequential):
    """Has optimizers beside its own, and takes a step of each at every step of training."""

    def hold(self, attribute, held):
        setattr(self, attribute, held)
        extra = keras.Variable([1.0, 2.0])
        self.extra = lambda: extra  # where Keras does not track it
        self.steps = []

    def train_step(self, *args):
        found = super().train_step(*args)
        for one in optimizers_of(self):
            one.apply([keras.ops.ones_like(self.extra().value)], [self.extra()])
        self.steps.append(1)
        return found


def optimizers_of(model):
    held = model.critics
    return (
        [held]
        if isinstance(held, keras.optimizers.Optimizer)
        else [*(held.values() if isinstance(held, dict) else held)]
    )


HOLDINGS = {
    "critics": lambda adam: adam,
    "critics[0]": lambda adam: [adam],
    "critics['one']": lambda adam: {"one": adam},
    "critics['many'][1]": lambda adam: {"many": (None, adam)},
}


def holding(where):
    model = Critical([keras.Input((4,)), *sequential().layers])
    adam = keras.optimizers.Adam(0.01)
    model.hold("critics", HOLDINGS[where](adam))
    model.compile("adam", "mse", run_eagerly=True)
    return model, adam


@pytest.mark.parametrize("where", HOLDINGS)
def test_a_model_that_holds_another_optimizer_is_refused_in_words_and_unchanged(where):
    model, _ = holding(where)
    optimizer = model.optimizer
    for act in (lambda: recompile(model), lambda: freeze(model, "part")):
        with pytest.raises(RequestError) as refused:
            act()
        assert where in str(refused.value)
        assert "recompile=False" in str(refused.value)
    assert model.optimizer is optimizer
    assert len(model.trainable_variables) == 6
    freeze(model, "part", recompile=False)
    assert len(model.trainable_variables) == 4


@pytest.mark.parametrize("built", [False, True], ids=["unbuilt", "built"])
@pytest.mark.parametrize("where", [*HOLDINGS][:3])
def test_a_proof_puts_every_optimizer_back(where, built):
    model, adam = holding(where)
    model.optimizer.build(model.trainable_variables)
    if built:
        adam.build([model.extra()])
        model.train_on_batch(X, Y)
    before = [(v, values_of(v).tobytes()) for v in (*adam.variables, *model.optimizer.variables, *model.variables)]
    taken = len(model.steps)
    assert verify_training(model, data=(X, Y)).ok
    assert len(model.steps) > taken
    assert adam.built == built
    after = [*adam.variables, *model.optimizer.variables, *model.variables]
    assert [id(v) for v in after] == [id(v) for v, _ in before]
    assert [values_of(v).tobytes() for v in after] == [values for _, values in before]


def test_the_optimizer_under_another_name_is_carried_with_it():
    model = compiled()
    model.generator = model.optimizer
    fit(model)
    freeze(model, "part")
    assert model.generator is model.optimizer
    assert counter(model.generator) == 3
    unfreeze(model, "part")
    fit(model)


def test_the_optimizers_of_models_within_a_model_are_their_own_affair():
    inner = compiled()
    fit(inner)
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, keras.layers.Dense(1, name="top")(inner(inputs)))
    outer.compile("adam", "mse", run_eagerly=True)
    fit(outer)
    kept = inner.optimizer
    freeze(outer, "top")
    fit(outer)
    assert inner.optimizer is kept
    assert counter(kept) == 3
