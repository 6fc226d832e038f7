"""Compile a model again for what is trainable now, and lose nothing that its optimizer has learned."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import keras

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.cloning import Clones
from weightkit.training.compiled import compile_again, is_compiled, require_compilable, scope_of
from weightkit.training.memory import OwnerMemory, put_slots, put_state, remember, set_values, values_of
from weightkit.training.routing import counts_steps, routes, several_by_call, split
from weightkit.training.slots import parts_of

if TYPE_CHECKING:
    import numpy as np

Unfrozen = Literal["own_step", "keep"]


@dataclass(slots=True)
class _Aside:
    """What belongs to an optimizer and has no place in it now."""

    optimizer: weakref.ref[Any]
    slots: dict[int, OwnerMemory] = field(default_factory=dict)
    state: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)


_ASIDE: weakref.WeakKeyDictionary[Any, _Aside] = weakref.WeakKeyDictionary()
"""By model: the slots of weights that are frozen, and state of optimizers that train nothing now."""


@dataclass(frozen=True, slots=True)
class Recompiled:
    """What became of the optimizer's memory, counted in weights."""

    carried: int
    """Trained before and now: their slots are as they were."""
    set_aside: int
    """Frozen: their slots wait, in memory of the host."""
    put_back: int
    """Unfrozen: their slots are those from when they were frozen."""
    started: int
    """Never trained by this optimizer: their slots begin."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(escape(line) for line in (self.summary(), *(f"  note: {note}" for note in self.notes)))

    def summary(self) -> str:
        """The counts, in one line."""
        slots = f"slots of {self.carried} weights carried, {self.set_aside} set aside"
        return f"{slots}, {self.put_back} put back, {self.started} begun"


def slots_set_aside(model: Any) -> dict[int, OwnerMemory]:
    """The slots of frozen weights that wait for them, by ``id`` of the variable; empty after a compile of Keras' own.

    They are in no file that Keras saves.
    """
    kept = _ASIDE.get(model)
    return {} if kept is None or kept.optimizer() is not model.optimizer else kept.slots


def set_slots_aside(model: Any, slots: dict[int, OwnerMemory]) -> None:
    """Have the slots of frozen weights wait for them, by ``id`` of the variable, beside those that wait already."""
    earlier = _ASIDE.get(model)
    known, state = slots_set_aside(model), {} if earlier is None else earlier.state
    _ASIDE[model] = _Aside(weakref.ref(model.optimizer), known | slots, state)


def recompile(
    model: Any,
    *,
    optimizer: Literal["carry", "fresh"] = "carry",
    learning_rate: Any = None,
    unfrozen_slots: Unfrozen = "own_step",
) -> Recompiled:
    """Compile a model again, for exactly what is trainable now, with every argument that it was compiled with.

    The optimizer is a new one of the same configuration: Keras' cannot be built twice. It takes over the slots of each
    weight by the weight's identity, moving averages, accumulators, the raw step count, the learning rate or its
    schedule, the loss scale. Slots of frozen weights are set aside and put back, bit for bit, when those are trained
    again.

    Args:
        model: A compiled model.
        optimizer: ``carry`` its memory over, or begin ``fresh``.
        learning_rate: A number or a schedule to go on with, in the place of the present one.
        unfrozen_slots: How weights begin that this optimizer has never trained, when it has taken steps. With
            ``own_step`` they have an optimizer of their own (hence a step count) within Keras' MultiOptimizer, where
            the kind of optimizer counts steps (all but SGD, RMSprop, Lion, Adagrad, Adadelta, Ftrl): an Adam's first
            step is then one learning rate. With ``keep`` they share the step count: Adam's first steps are 3 to 6
            times the learning rate. MultiOptimizer has no ``learning_rate`` of its own, which callbacks may ask for.

    Raises:
        RequestError: The model is not compiled, is being trained, has several optimizers in a ``compile`` of its own,
            or two of its weights share the path that MultiOptimizer would tell them apart by.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> model.optimizer.build(model.trainable_variables)
        >>> model.layers[0].trainable = False
        >>> print(recompile(model))
        slots of 2 weights carried, 2 set aside, 0 put back, 0 begun
    """
    _require_request(model, optimizer, unfrozen_slots)
    require_compilable(model)
    old = model.optimizer
    with scope_of(model):
        work = _Carrying(model, old, learning_rate, own_step=unfrozen_slots == "own_step")
        new, done = work.fresh() if optimizer == "fresh" else work.carried()
        compile_again(model, new)
    return done


def _require_request(model: Any, optimizer: str, unfrozen_slots: str) -> None:
    if not is_compiled(model):
        raise RequestError(
            f"{getattr(model, 'name', model)} has not been compiled", mend="call compile(optimizer, loss) first"
        )
    for name, value, known in (
        ("optimizer", optimizer, ("carry", "fresh")),
        ("unfrozen_slots", unfrozen_slots, ("own_step", "keep")),
    ):
        if value not in known:
            raise RequestError(f"{name} is {value!r}", mend=f"give one of {', '.join(map(repr, known))}")


class _Carrying:
    """One recompilation: the old optimizer, what it and the model remember, and the new one."""

    def __init__(self, model: Any, old: Any, learning_rate: Any, *, own_step: bool) -> None:
        self._model, self._old, self._rate, self._own_step = model, old, learning_rate, own_step
        is_number = isinstance(learning_rate, int | float)
        self._clones = Clones(float(learning_rate) if is_number else learning_rate)
        self._owners = list(model.trainable_variables)

    def fresh(self) -> tuple[Any, Recompiled]:
        """A new optimizer that remembers nothing."""
        new = self._new([])
        new.build(self._owners)
        _ASIDE.pop(self._model, None)
        return new, Recompiled(0, 0, 0, len(self._owners))

    def carried(self) -> tuple[Any, Recompiled]:
        """A new optimizer that remembers everything."""
        aside = slots_set_aside(self._model)
        present = remember(self._old)
        known = aside | present
        trained = {id(owner) for part in parts_of(self._old) for owner in part.owners}
        begun = [owner for owner in self._owners if id(owner) not in known and id(owner) not in trained]
        late = [
            owner
            for owner, by in zip(begun, routes(self._old, begun), strict=True)
            if counts_steps(by) and _has_stepped(by)
        ]
        new = self._new(late if self._own_step else [])
        new.build(self._owners)
        put_slots(new, known)
        self._put_state(new)
        left = self._set_aside(new, known)
        now = {id(owner) for owner in self._owners}
        notes = _notes(late, own=self._own_step)
        return new, Recompiled(len(now & trained), len(left), len(now & aside.keys() - trained), len(begun), notes)

    def _new(self, late: list[Any]) -> Any:
        if not late and not several_by_call(self._old):
            return self._clones.of(self._old)
        could = [v for layer in self._model._flatten_layers() for v in layer._trainable_variables]  # noqa: SLF001
        unique = {id(variable): variable for variable in (*could, *self._owners)}
        return split(self._old, self._clones, list(unique.values()), late, self._model.name)

    def _put_state(self, new: Any) -> None:
        kept = _ASIDE.get(self._model)
        put_state(self._clones.pairs(), {} if kept is None else kept.state)
        if isinstance(self._rate, int | float):
            for part in parts_of(new):
                wraps = isinstance(
                    part.optimizer, keras.optimizers.LossScaleOptimizer | keras.optimizers.MultiOptimizer
                )
                if "learning_rate" in part.state and not wraps:
                    part.state["learning_rate"].assign(float(self._rate))
        for old, made in self._clones.wrapped:
            set_values(made._iterations, values_of(old._iterations))  # noqa: SLF001  # the raw count

    def _set_aside(self, new: Any, known: dict[int, OwnerMemory]) -> dict[int, OwnerMemory]:
        now = {id(owner) for owner in self._owners}
        left = {key: kept for key, kept in known.items() if key not in now}
        earlier = _ASIDE.get(self._model)
        state: dict[tuple[int, str], np.ndarray] = {}
        for old, made in self._clones.pairs():
            after = parts_of(made)[0].state
            gone = {name: values_of(v) for name, v in parts_of(old)[0].state.items() if name not in after}
            if earlier is not None:
                gone |= {name: v for (key, name), v in earlier.state.items() if key == id(old) and name not in after}
            state |= {(id(made), name): values for name, values in gone.items()}
        _ASIDE[self._model] = _Aside(weakref.ref(new), left, state)
        return left


def _has_stepped(optimizer: Any) -> bool:
    return bool(values_of(optimizer._iterations) > 0)  # noqa: SLF001  # `iterations` is divided under accumulation


def _notes(late: list[Any], *, own: bool) -> tuple[str, ...]:
    if not late:
        return ()
    count = f"{len(late)} weights are trained for the first time"
    if own:
        note = f"{count} and count their own steps, in a MultiOptimizer, which has no learning_rate of its own"
        return (f'{note} (unfrozen_slots="keep" would share the step count)',)
    note = f"{count} at a large step count: their first steps may be several times the learning rate"
    return (f'{note} (unfrozen_slots="own_step" counts their own)',)
