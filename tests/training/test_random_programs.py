"""Programs of random calls, each beside a plain model that is frozen, compiled and trained by hand."""

from __future__ import annotations

import full
import keras
import numpy as np
import pytest
from training_cases import X, Y, sequential

from weightkit import scale
from weightkit.errors import RequestError
from weightkit.training import freeze, frozen, recompile, unfreeze
from weightkit.training.optimizer.slot_values import values_of

pytestmark = pytest.mark.every_backend
NAMES = ("part", "middle", "head")
PROGRAMS, LENGTH = (100, 20) if full.enabled else (3, 12)
OPTIMIZERS = {
    "momentum": (lambda: keras.optimizers.SGD(0.01, momentum=0.9), ("momentums",)),
    "adam": (lambda: keras.optimizers.Adam(0.01), ("_momentums", "_velocities")),
}
"""With the lists of what each keeps for every weight."""


class Hook(keras.callbacks.Callback):
    """Calls a function with the model at one hook."""

    def __init__(self, name, function):
        super().__init__()
        setattr(self, name, lambda *_, **__: function(self.model))


def train(model, *callbacks):
    model.fit(X, Y, batch_size=6, epochs=1, shuffle=False, verbose=0, callbacks=[*callbacks])


def kept_in(optimizer, lists):
    """What an optimizer keeps for each weight, by the name of layer and weight, and its count of steps."""
    paths = [name_of(variable) for variable in optimizer._trainable_variables]
    values = zip(*(getattr(optimizer, name) for name in lists), strict=True)
    slots = {path: [values_of(one) for one in several] for path, several in zip(paths, values, strict=True)}
    return slots, int(values_of(optimizer.iterations))


def name_of(variable):
    return "/".join(variable.path.split("/")[-2:])


def held_by(model):
    return {name_of(variable): values_of(variable) for variable in model.variables if "/" in variable.path}


class ByHand:
    """The plain model: flags, a new optimizer and what it keeps are set with Keras and NumPy alone."""

    def __init__(self, optimizer):
        self.make, self.lists = OPTIMIZERS[optimizer]
        self.trained = set(NAMES)
        self.slots, self.steps = {}, 0
        keras.utils.set_random_seed(1)
        self.model = sequential()
        self.compile()

    def look(self):
        slots, self.steps = kept_in(self.model.optimizer, self.lists)
        self.slots |= slots

    def compile(self):
        for name in NAMES:
            self.model.get_layer(name).trainable = name in self.trained
        optimizer = self.make()
        optimizer.build(self.model.trainable_variables)
        optimizer.iterations.assign(self.steps)
        for number, variable in enumerate(optimizer._trainable_variables):
            for name, value in zip(self.lists, self.slots.get(name_of(variable), ()), strict=False):
                getattr(optimizer, name)[number].assign(value)
        self.model.compile(optimizer, "mse", run_eagerly=True)

    def set_trained(self, names):
        self.look()
        self.trained = set(names)
        self.compile()

    def forget_frozen(self):
        """As a saved model does."""
        self.look()
        self.slots = {path: kept for path, kept in self.slots.items() if path.split("/")[0] in self.trained}


class Program:
    """A model of ours and one by hand, and what may be done to both."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        kind = self.pick([*OPTIMIZERS])
        self.hand = ByHand(kind)
        keras.utils.set_random_seed(1)
        self.model = sequential()
        self.model.compile(self.hand.make(), "mse", run_eagerly=True)
        self.model.optimizer.build(self.model.trainable_variables)
        self.plans = []
        self.done = [kind]

    def pick(self, several):
        return several[self.rng.integers(len(several))]

    def step(self):
        act = self.pick([self.flip, self.flip, self.undo, self.fit, self.fit, self.within, *OTHERS])
        self.done.append(act.__name__)
        before = held_by(self.model)
        trains = act(self) if act in OTHERS else act()
        self.compare(before, trains or set())

    def compare(self, before, trained):
        """Everything is as by hand, and what was not trained has the bits that it had."""
        ours, theirs = held_by(self.model), held_by(self.hand.model)
        assert ours.keys() == theirs.keys() == before.keys()
        assert [name for name in ours if ours[name].tobytes() != theirs[name].tobytes()] == []
        moved = {name for name in ours if ours[name].tobytes() != before[name].tobytes()}
        assert {name.split("/")[0] for name in moved} <= trained
        assert {name_of(v) for v in self.model.trainable_variables} == {
            name_of(v) for v in self.hand.model.trainable_variables
        }
        slots, steps = kept_in(self.model.optimizer, self.hand.lists)
        wanted, wanted_steps = kept_in(self.hand.model.optimizer, self.hand.lists)
        assert (slots.keys(), steps) == (wanted.keys(), wanted_steps)
        for name, kept in slots.items():
            for ours, theirs in zip(kept, wanted[name], strict=True):
                np.testing.assert_array_equal(ours, theirs, err_msg=name)

    def flip(self):
        """Freeze one layer, or unfreeze it; never the last that is trained."""
        name = self.pick(NAMES)
        changed = self.hand.trained ^ {name}
        if not changed:
            return
        freezes = name in self.hand.trained
        plan = freeze(self.model, name) if freezes else unfreeze(self.model, name, step_count="shared")
        self.plans.append((plan, self.hand.trained))
        self.hand.set_trained(changed)

    def undo(self):
        if self.plans:
            plan, trained = self.plans.pop()
            plan.undo(step_count="shared")
            self.hand.set_trained(trained)

    def fit(self):
        for model in (self.model, self.hand.model):
            train(model)
        return self.hand.trained

    def within(self):
        """Train with one layer frozen."""
        name, trained = self.pick(NAMES), self.hand.trained
        if not trained - {name}:
            return set()
        with frozen(self.model, name, step_count="shared"):
            train(self.model)
        self.hand.set_trained(trained - {name})
        train(self.hand.model)
        self.hand.set_trained(trained)
        return trained - {name}


def compile_again(program):
    recompile(program.model, step_count="shared")
    program.hand.look()
    program.hand.compile()


def save_and_load(program):
    path = program.folder / f"{len(program.done)}.keras"
    program.model.save(path)
    program.model = keras.saving.load_model(path)
    program.plans.clear()  # they are plans of the other object
    program.hand.forget_frozen()


def edit_in_a_hook(program):
    hook = program.pick(["on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"])

    def by_hand(model):
        kernel = model.get_layer("head").kernel
        kernel.assign(values_of(kernel) * np.float32(0.5))

    train(program.model, Hook(hook, lambda model: scale(model, 0.5, where="head/kernel")))
    train(program.hand.model, Hook(hook, by_hand))
    return program.hand.trained | {"head"}


def freeze_in_a_hook(program):
    """It is refused, and changes nothing."""

    def refused(model):
        with pytest.raises(RequestError, match="while fit of"):
            freeze(model, "head", recompile=program.pick([True, False]))

    train(program.model, Hook("on_train_batch_end", refused))
    train(program.hand.model)
    return program.hand.trained


OTHERS = (compile_again, save_and_load, edit_in_a_hook, freeze_in_a_hook)


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_a_program_does_what_is_done_by_hand(seed, tmp_path):
    program = Program(seed, tmp_path)
    for _ in range(LENGTH):
        try:
            program.step()
        except AssertionError as error:
            error.add_note(f"after {', '.join(program.done)}")
            raise
    assert len(program.done) == LENGTH + 1
