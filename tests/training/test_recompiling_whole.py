"""A recompilation that fails or is interrupted leaves the model as it was, whatever it was that failed."""

from __future__ import annotations

import keras
import pytest
from training_cases import compiled, counter, fit, sequential, slots

from weightkit.training import freeze, freeze_all_but, frozen, recompile, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of


class Stubborn(keras.Sequential):
    """Raises what it is told to, when an attribute is set that it is told of, once."""

    trouble = None

    def __setattr__(self, name, value):
        if Stubborn.trouble and Stubborn.trouble[0] == name:
            error, Stubborn.trouble = Stubborn.trouble[1], None
            raise error
        super().__setattr__(name, value)


class Grudging(keras.optimizers.Adam):
    """Cannot be built while it is told so."""

    unwilling = False

    def build(self, variables):
        super().build(variables)
        if Grudging.unwilling:
            raise MemoryError("no room")


def parked(model):
    return {(k, n): v.tobytes() for k, kept in parked_slots_of(model).items() for n, v in kept.slots.items()}


def seen(model):
    """All that compiling changes, as objects, and all values."""
    held = {name: id(value) for name, value in vars(model).items()}
    config = {name: id(value) for name, value in model._compile_config.config.items()}
    values = [values_of(v).tobytes() for v in (*model.variables, *model.metrics_variables, *model.optimizer.variables)]
    flags = [layer.trainable for layer in model._flatten_layers()], [v.trainable for v in model.variables]
    metrics = [id(one) for one in model.metrics]
    return held, config, values, flags, metrics, slots(model.optimizer), parked(model)


def stubborn():
    """A model with slots parked."""
    keras.utils.set_random_seed(1)
    model = Stubborn([keras.Input((4,)), *sequential().layers])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"], run_eagerly=True)
    fit(model)
    freeze(model, "part")
    fit(model)
    return model


ACTS = {
    "recompile": recompile,
    "fresh": lambda model: recompile(model, optimizer_state="fresh"),
    "freeze": lambda model: freeze(model, "middle"),
    "unfreeze": lambda model: unfreeze(model, "part"),
    "freeze_all_but": lambda model: freeze_all_but(model, "part"),
}


@pytest.fixture(scope="module")
def trained():
    return stubborn()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["failure", "interruption"])
@pytest.mark.parametrize("attribute", ["optimizer", "_compile_metrics", "jit_compile", "_compile_config"])
@pytest.mark.parametrize("act", ACTS)
def test_a_compile_that_fails_midway_changes_nothing(act, attribute, error, trained):
    before = seen(trained)
    Stubborn.trouble = (attribute, error)
    with pytest.raises(type(error)):
        ACTS[act](trained)
    assert seen(trained) == before


def test_after_a_failure_training_goes_on_as_if_nothing_had_been():
    model, plain = stubborn(), stubborn()
    Stubborn.trouble = ("jit_compile", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        unfreeze(model, "part")
    assert fit(model) == fit(plain)
    for one in (model, plain):
        unfreeze(one, "part")
    assert sorted(slots(model.optimizer).values()) == sorted(slots(plain.optimizer).values())
    assert fit(model) == fit(plain)


def test_an_optimizer_that_cannot_be_built_changes_nothing():
    model = compiled()
    model.compile(Grudging(0.01), "mse", run_eagerly=True)
    fit(model)
    freeze(model, "part")
    fit(model)
    before = seen(model)
    Grudging.unwilling = True
    try:
        for act in ACTS.values():
            with pytest.raises(MemoryError):
                act(model)
            assert seen(model) == before
    finally:
        Grudging.unwilling = False
    unfreeze(model, "part")
    assert not parked(model)
    assert counter(model.optimizer) == 6


def test_an_undo_that_fails_changes_nothing_and_can_be_done_again():
    model = stubborn()
    plan = freeze(model, "middle")
    before = seen(model)
    Stubborn.trouble = ("jit_compile", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        plan.undo()
    assert seen(model) == before
    plan.undo()
    assert model.get_layer("middle").trainable


def test_a_warning_that_is_an_error_changes_nothing():
    model = compiled()
    fit(model)
    before = seen(model)
    with pytest.raises(UserWarning, match="no weight of the model is trained"):
        freeze(model, "**")
    assert seen(model) == before
    with pytest.raises(UserWarning, match="no weight of the model is trained"), frozen(model, "**"):
        pass
    assert seen(model) == before
