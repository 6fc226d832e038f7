"""Every variable of every optimizer of Keras is told: whose slot it is, or what state."""

from __future__ import annotations

import inspect

import keras
import pytest

from weightkit.errors import RequestError
from weightkit.training.optimizer.slots import parts_of, slots_of

ABSTRACT = {"LossScaleOptimizer", "MultiOptimizer"}
PLAIN = sorted(
    name
    for name, kind in vars(keras.optimizers).items()
    if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and name not in ABSTRACT
)
SLOTS = {
    "Adadelta": {"accumulated_delta_var", "accumulated_grad"},
    "Adafactor": {"column", "row", "velocity"},
    "Adagrad": {"accumulator"},
    "Adam": {"momentum", "velocity"},
    "AdamW": {"momentum", "velocity"},
    "Adamax": {"momentum", "norm"},
    "Ftrl": {"accumulator", "linear"},
    "Lamb": {"momentum", "velocity"},
    "Lion": {"momentum"},
    "Muon": {"momentum", "velocity"},
    "Nadam": {"momentum", "velocity"},
    "Optimizer": set(),
    "RMSprop": {"velocity"},
    "SGD": set(),
    "ScheduleFreeAdamW": {"momentum", "velocity"},
}


def optimizer_named(name, **options):
    needs = {"learning_rate": 0.1} if name == "Optimizer" else {}
    return getattr(keras.optimizers, name)(**needs, **options)


def weights():
    layers = [keras.layers.Embedding(5, 4), keras.layers.Dense(3), keras.layers.LayerNormalization()]
    for layer in layers:
        layer.build((None, 4))
    return [variable for layer in layers for variable in layer.trainable_variables]


def all_of(parts):
    slots = [one for part in parts for row in part.slots.values() for one in row if one is not None]
    return [*slots, *(variable for part in parts for variable in part.state.values())]


@pytest.mark.parametrize("options", [{}, {"use_ema": True, "gradient_accumulation_steps": 2}], ids=["plain", "ema"])
@pytest.mark.parametrize("name", PLAIN)
def test_each_variable_is_told_once_with_its_slots_name(name, options):
    optimizer, owners = optimizer_named(name, **options), weights()
    optimizer.build(owners)
    (part,) = parts_of(optimizer)
    assert {id(one) for one in all_of([part])} == {id(one) for one in optimizer.variables}
    assert len(all_of([part])) == len(optimizer.variables)
    extra = {"average", "gradient_accumulator"} if options else set()
    assert set(part.slots) == SLOTS[name] | extra
    assert set(part.state) == {"iteration", "learning_rate"} | ({"u_product"} if name == "Nadam" else set())
    assert all(ours is theirs for ours, theirs in zip(part.owners, owners, strict=True))


@pytest.mark.parametrize(
    ("name", "options", "slots"),
    [
        ("Adam", {"amsgrad": True}, {"momentum", "velocity", "velocity_hat"}),
        ("SGD", {"momentum": 0.9}, {"momentum"}),
        ("RMSprop", {"momentum": 0.9, "centered": True}, {"velocity", "momentum", "average_gradient"}),
    ],
)
def test_slots_that_an_option_adds_are_told(name, options, slots):
    optimizer = optimizer_named(name, **options)
    optimizer.build(weights())
    assert set(parts_of(optimizer)[0].slots) == slots


def test_every_exported_class_is_in_the_table():
    assert set(PLAIN) == set(SLOTS)


def test_a_slot_belongs_to_the_variable_whose_shape_it_has():
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights())
    assert all(slot.variable.shape == slot.owner.shape for slot in slots_of(optimizer))
    assert all(slot.owner.path.replace("/", "_") in slot.variable.path for slot in slots_of(optimizer))


def test_muon_keeps_velocities_for_some_variables_alone():
    optimizer, owners = keras.optimizers.Muon(exclude_layers=["embedding"]), weights()
    optimizer.build(owners)
    velocities = parts_of(optimizer)[0].slots["velocity"]
    kernel = next(i for i, owner in enumerate(owners) if owner.name == "kernel")
    assert velocities[kernel] is None
    assert sum(one is not None for one in velocities) >= 1


def test_a_schedule_is_no_state():
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    optimizer.build(weights())
    assert set(parts_of(optimizer)[0].state) == {"iteration"}


def test_wrapped_optimizers_are_parts_by_where_they_are():
    inner = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Nadam(), {".*bias": keras.optimizers.SGD(momentum=0.9)})
    )
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    optimizer.build(weights())
    parts = {part.path: part for part in parts_of(optimizer)}
    assert list(parts) == ["", "inner_optimizer", "inner_optimizer/optimizers/0", "inner_optimizer/optimizers/1"]
    assert set(parts[""].state) == {"iteration", "learning_rate", "step_counter", "dynamic_scale"}
    assert [owner.name for owner in parts["inner_optimizer/optimizers/0"].owners] == ["bias"]
    assert set(parts["inner_optimizer/optimizers/1"].slots) == {"momentum", "velocity"}
    assert {id(one) for one in optimizer.variables} <= {id(one) for one in all_of(parts.values())}


def test_an_optimizer_that_is_not_built_has_state_and_no_slots():
    (part,) = parts_of(keras.optimizers.Adam())
    assert part.owners == ()
    assert part.slots == {}
    assert set(part.state) == {"iteration", "learning_rate"}


class Hiding(keras.optimizers.SGD):
    """Keeps a variable where nothing tells what it is."""

    def build(self, variables):
        super().build(variables)
        self.hidden = {"somewhere": self.add_variable((), name="hidden")}


def test_a_variable_of_which_nothing_tells_is_refused_by_name():
    optimizer = Hiding()
    optimizer.build(weights())
    with pytest.raises(RequestError, match=r"1 are elsewhere: .*hidden"):
        parts_of(optimizer)


class Twice(keras.optimizers.SGD):
    """Keeps a variable in two attributes."""

    def build(self, variables):
        super().build(variables)
        self.first = self.second = self.add_variable((), name="one")


def test_a_variable_of_two_names_is_refused():
    optimizer = Twice()
    optimizer.build(weights())
    with pytest.raises(RequestError, match="under two names"):
        parts_of(optimizer)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(RequestError, match="must be an optimizer of Keras 3, got str"):
        parts_of("adam")
