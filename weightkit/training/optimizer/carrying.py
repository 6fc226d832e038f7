"""From an optimizer to a new one that is built on what is trainable now, with all that the old one remembers."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from weightkit.escape import escape
from weightkit.training.model.flags import made_in
from weightkit.training.optimizer.cloning import Clones
from weightkit.training.optimizer.memory import put_slots, put_state, remember, set_values, values_of
from weightkit.training.optimizer.parked_slots import Aside, aside_of, slots_set_aside
from weightkit.training.optimizer.routing import (
    TOGETHER,
    is_late_for,
    joined,
    may_part,
    parted_off,
    routes,
    several_by_call,
    split,
)
from weightkit.training.optimizer.slots import parts_of

if TYPE_CHECKING:
    import numpy as np

    from weightkit.training.optimizer.memory import OwnerMemory


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


class Carrying:
    """One recompilation: the old optimizer, what it and the model remember, and the new one. It changes neither.

    Args:
        model: The model.
        learning_rate: A number or a schedule in the place of the present one.
        own_step: Whether weights that come late count their own steps.
        anew: ``id`` of weights that begin as if they had never been trained.
        rejoin: Whether a MultiOptimizer that was made for weights that came late gives way to the single one that it
            was made around, where that loses nothing but slots of weights that the last compile trained so.
    """

    def __init__(
        self,
        model: Any,
        *,
        learning_rate: Any = None,
        own_step: bool = True,
        anew: frozenset[int] = frozenset(),
        rejoin: bool = False,
    ) -> None:
        self._model, self._old, self._rate, self._own_step = model, model.optimizer, learning_rate, own_step
        self._clones = Clones(learning_rate)
        self._owners = list(model.trainable_variables)
        self._earlier, self._anew = aside_of(model), anew
        self._rejoins = rejoin and self._may_rejoin()

    def fresh(self) -> tuple[Any, Aside | None, Recompiled]:
        """A new optimizer that remembers nothing."""
        new = self._new([])
        new.build(self._owners)
        return new, None, Recompiled(0, 0, 0, len(self._owners))

    def carried(self) -> tuple[Any, Aside | None, Recompiled]:
        """A new optimizer that remembers everything, and what is to be kept aside for it."""
        waiting = slots_set_aside(self._model)
        known = {key: kept for key, kept in (waiting | remember(self._old)).items() if key not in self._anew}
        if self._rejoins:
            gone = {id(kept.owner) for kept in known.values() if parted_off(self._old, kept.owner)}
            known = {key: kept for key, kept in known.items() if key not in gone}
        trained = {id(owner) for part in parts_of(self._old) for owner in part.owners} - self._anew
        begun = [owner for owner in self._owners if id(owner) not in known and id(owner) not in trained]
        late = [owner for owner, by in self._routed(begun) if is_late_for(by)]
        apart = [owner for owner, by in self._routed(late) if may_part(by)]
        new = self._new(apart if self._own_step else [])
        new.build(self._owners)
        put_slots(new, known)
        self._put_state(new)
        aside = self._aside(new, known)
        now = {id(owner) for owner in self._owners}
        notes = _notes(late, apart, own=self._own_step)
        back = len(now & waiting.keys() - trained - self._anew)
        return new, aside, Recompiled(len(now & trained), len(aside.slots), back, len(begun), notes)

    def _routed(self, owners: list[Any]) -> zip[tuple[Any, Any]]:
        return zip(owners, routes(self._old, owners), strict=True)

    def _may_rejoin(self) -> bool:
        """Whether all that has its own optimizer was trained until now, and is frozen."""
        if self._earlier is None or not self._earlier.parted:
            return False
        others = [kept.owner for kept in self._earlier.slots.values()]
        return not any(parted_off(self._old, owner) for owner in (*self._owners, *others))

    def _new(self, late: list[Any]) -> Any:
        if self._rejoins:
            return joined(self._old, self._clones)
        if not late and not several_by_call(self._old):
            return self._clones.of(self._old)
        unique = {id(variable): variable for variable in (*made_in(self._model), *self._owners)}
        return split(self._old, self._clones, list(unique.values()), late, self._model.name)

    def _put_state(self, new: Any) -> None:
        put_state(self._clones.pairs(), {} if self._earlier is None else self._earlier.state)
        if isinstance(self._rate, float):
            for part in parts_of(new):
                wraps = isinstance(
                    part.optimizer, keras.optimizers.LossScaleOptimizer | keras.optimizers.MultiOptimizer
                )
                if "learning_rate" in part.state and not wraps:
                    part.state["learning_rate"].assign(float(self._rate))
        for old, made in self._clones.wrapped:
            set_values(made._iterations, values_of(old._iterations))  # noqa: SLF001  # the raw count

    def _aside(self, new: Any, known: dict[int, OwnerMemory]) -> Aside:
        now = {id(owner) for owner in self._owners}
        left = {key: kept for key, kept in known.items() if key not in now}
        earlier = {} if self._earlier is None else self._earlier.state
        state: dict[tuple[int, str], np.ndarray] = {}
        for old, made in self._clones.pairs():
            after = parts_of(made)[0].state
            gone = {name: values_of(v) for name, v in parts_of(old)[0].state.items() if name not in after}
            gone |= {name: v for (key, name), v in earlier.items() if key == id(old) and name not in after}
            state |= {(id(made), name): values for name, values in gone.items()}
        was_parted = self._earlier is not None and self._earlier.parted and not self._rejoins
        return Aside(weakref.ref(new), left, state, was_parted or bool(self._clones.wrapped))


def _notes(late: list[Any], apart: list[Any], *, own: bool) -> tuple[str, ...]:
    """What is to be told of weights that come late, those of them that could have steps of their own apart."""
    shared = len(late) - len(apart) if own else len(late)
    notes = []
    if own and apart:
        notes.append(
            f"{len(apart)} weights are trained for the first time and count their own steps, in a MultiOptimizer, "
            'which has no learning_rate of its own (unfrozen_slots="keep" would share the step count)'
        )
    if shared:
        hint = TOGETHER if own else 'unfrozen_slots="own_step" counts their own'
        notes.append(
            f"{shared} weights are trained for the first time at a large step count: their first steps may be several "
            f"times the learning rate ({hint})"
        )
    return tuple(notes)
