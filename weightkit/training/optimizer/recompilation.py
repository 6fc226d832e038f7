"""From an optimizer to a new one for what is trainable now, with or without the old one's state."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.escape import escape
from weightkit.training.model.flags import trainable_variables_in
from weightkit.training.optimizer.bare_optimizer import BareOptimizer
from weightkit.training.optimizer.clones import Clones
from weightkit.training.optimizer.grouping import Division
from weightkit.training.optimizer.other_optimizers import is_wrapper
from weightkit.training.optimizer.parked_slots import ParkedSlots, parked_of, parked_slots_of
from weightkit.training.optimizer.replacement import changed_windows, fits, keep_updates, replaced, require_one_count
from weightkit.training.optimizer.routing import (
    CANNOT_SPLIT,
    can_split,
    has_stepped,
    is_split_off,
    needs_own_steps,
    routes,
    routes_by_function,
    split,
    unsplit,
)
from weightkit.training.optimizer.slot_values import (
    copy_state,
    own_state,
    read_slots,
    set_values,
    values_of,
    write_slots,
)
from weightkit.training.optimizer.slots import ACCUMULATOR, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from weightkit.training.optimizer.slot_values import VariableSlots


@dataclass(frozen=True, slots=True)
class Recompiled:
    """What a recompilation did with the optimizer's slots, counted in weights."""

    carried: int
    """Weights that were trained before and are trained now: their slots keep their values."""
    parked: int
    """Frozen weights: their slots wait in host memory."""
    restored: int
    """Unfrozen weights: their parked slots are back."""
    new: int
    """Weights that this optimizer has never trained: their slots start at their initial values."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(escape(line) for line in (self.summary(), *(f"  note: {note}" for note in self.notes)))

    def summary(self) -> str:
        """The counts, in one line."""
        slots = f"slots of {self.carried} weights carried, {self.parked} parked"
        return f"{slots}, {self.restored} restored, {self.new} new"


class Recompilation:
    """One recompilation: makes the new optimizer and what to park beside it; changes neither model nor old optimizer.

    Args:
        model: The model, or a `BareOptimizer`.
        learning_rate: A number or a schedule that replaces the present learning rate.
        own_steps: Whether weights that are trained for the first time count their own steps.
        reset: ``id`` of weights that start as if they had never been trained.
        may_unsplit: Whether a MultiOptimizer that weightkit made from a single optimizer becomes the single one again,
            where only slots are lost of weights that it was made for.
        rates: By ``id`` of weights, trained or frozen, learning rates of their own: numbers or schedules.
        replacement: A new optimizer of the user in place of one from the old configuration.
        accumulation_steps: Replaces the number of batches over which gradients are summed; 1 for none.
    """

    def __init__(
        self,
        model: Any,
        *,
        learning_rate: Any = None,
        own_steps: bool = True,
        reset: frozenset[int] = frozenset(),
        may_unsplit: bool = False,
        rates: Mapping[int, Any] | None = None,
        replacement: Any = None,
        accumulation_steps: int | None = None,
    ) -> None:
        self._rates, self._replacement = {} if rates is None else rates, replacement
        self._model, self._old, self._rate, self._own_steps = model, model.optimizer, learning_rate, own_steps
        self._clones = Clones(learning_rate, accumulation_steps)
        self._owners = list(model.trainable_variables)
        self._earlier, self._reset = parked_of(model), reset
        self._is_split = self._earlier is not None and self._earlier.is_split
        self._unsplits = may_unsplit and self._is_split and self._split_off_nothing()
        if replacement is not None and not fits(self._old, replacement):
            self._reset = frozenset(parked_slots_of(model)) | read_slots(self._old).keys()

    def fresh(self) -> tuple[Any, ParkedSlots | None, Recompiled]:
        """A new optimizer without state: no slots, no step count, nothing parked.

        The configuration has the present learning rate. A MultiOptimizer that weightkit made for weights with their
        own step count becomes the single optimizer again: all weights start at step 0.
        """
        self._unsplits = self._is_split
        new = self._new_optimizer([])
        new.build(self._owners)
        return new, None, Recompiled(0, 0, 0, len(self._owners))

    def carried(self) -> tuple[Any, ParkedSlots | None, Recompiled]:
        """A new optimizer with the state of the old one, and what to park beside it."""
        if self._replacement is not None:
            require_one_count(self._old, self._replacement)
        waiting = parked_slots_of(self._model)
        known = self._known_slots(waiting)
        trained = {id(owner) for part in parts_of(self._old) for owner in part.owners} - self._reset
        new_owners = [owner for owner in self._owners if id(owner) not in known and id(owner) not in trained]
        late = [owner for owner, by in self._routed(new_owners) if needs_own_steps(by) and self._replacement is None]
        splits = ((owner, can_split(by, self._rates.get(id(owner)))) for owner, by in self._routed(late))
        apart = [owner for owner, can in splits if can] if self._own_steps else []
        new = self._new_optimizer(apart)
        new.build(self._owners)
        if changed_windows(self._clones.pairs()):
            known = {key: slots.without(ACCUMULATOR) for key, slots in known.items()}
        write_slots(new, known)
        self._copy_state(new)
        parked = self._parked(new, known)
        now = {id(owner) for owner in self._owners}
        # `-` binds more strongly than `&`.
        restored = len(now & waiting.keys() - trained - self._reset)
        notes = _notes(len(late), len(apart), own_steps=self._own_steps)
        return new, parked, Recompiled(len(now & trained), len(parked.slots), restored, len(new_owners), notes)

    def _known_slots(self, waiting: dict[int, VariableSlots]) -> dict[int, VariableSlots]:
        """Slots of the old optimizer and parked ones, less those that are to be lost."""
        known = {key: slots for key, slots in (waiting | read_slots(self._old)).items() if key not in self._reset}
        if not self._unsplits:
            return known
        return {key: slots for key, slots in known.items() if not is_split_off(self._old, slots.owner)}

    def _routed(self, owners: list[Any]) -> zip[tuple[Any, Any]]:
        return zip(owners, routes(self._old, owners), strict=True)

    def _split_off_nothing(self) -> bool:
        """Whether neither trainable weights nor weights with parked slots have an optimizer that was split off."""
        parked = [] if self._earlier is None else [slots.owner for slots in self._earlier.slots.values()]
        return not any(is_split_off(self._old, owner) for owner in (*self._owners, *parked))

    def _new_optimizer(self, apart: list[Any]) -> Any:
        if self._replacement is not None:
            return replaced(self._old, self._replacement, self._clones)
        if self._unsplits and not self._rates:
            return unsplit(self._old, self._clones)
        if not apart and not self._rates and not routes_by_function(self._old):
            return self._clones.of(self._old)
        # Frozen variables too: the routes must be right when they are trained again.
        unique = {id(variable): variable for variable in (*_trainable_later(self._model), *self._owners)}
        division = Division(list(unique.values()), frozenset(map(id, apart)), self._rates, self._model.name)
        return split(self._old, self._clones, division, unsplits=self._unsplits)

    def _copy_state(self, new: Any) -> None:
        copy_state(self._clones.pairs(), {} if self._earlier is None else self._earlier.state)
        # After the state, which has the old rate. A schedule is configuration, and new already.
        if isinstance(self._rate, float):
            for part in parts_of(new):
                if "learning_rate" in part.state and not is_wrapper(part.optimizer):
                    part.state["learning_rate"].assign(float(self._rate))
        for made, rate in self._clones.rates:
            if isinstance(rate, float):
                made.learning_rate = rate
        for old, made in self._clones.wrapped:
            # `iterations` is divided by the accumulation steps (Keras 3.15); the raw count is carried
            set_values(made._iterations, values_of(old._iterations))  # noqa: SLF001
        for old, made in changed_windows(self._clones.pairs()):
            keep_updates(old, made)

    def _parked(self, new: Any, known: dict[int, VariableSlots]) -> ParkedSlots:
        # Keras builds the optimizer of a loaded or cloned model before the first step: these slots are of no use, and a
        # weight that has them would share a step count that others have reached.
        owners = [slots.owner for slots in known.values()]
        untrained = {id(owner) for owner, by in self._routed(owners) if not has_stepped(by)}
        now = {id(owner) for owner in self._owners}
        lost = now | (untrained - parked_slots_of(self._model).keys())
        frozen = {key: slots for key, slots in known.items() if key not in lost}
        earlier = {} if self._earlier is None else self._earlier.state
        state: dict[tuple[int, str], np.ndarray] = {}
        for old, made in self._clones.pairs():
            after = own_state(made)
            gone = {name: values_of(v) for name, v in own_state(old).items() if name not in after}
            gone |= {name: v for (key, name), v in earlier.items() if key == id(old) and name not in after}
            state |= {(id(made), name): values for name, values in gone.items()}
        is_split = (
            not self._rates
            and self._replacement is None
            and ((self._is_split and not self._unsplits) or bool(self._clones.wrapped))
        )
        return ParkedSlots(weakref.ref(new), frozen, state, is_split)


def _trainable_later(model: Any) -> list[Any]:
    """All variables that can be trained, frozen ones too."""
    return model.variables if isinstance(model, BareOptimizer) else trainable_variables_in(model)


def _notes(late: int, apart: int, *, own_steps: bool) -> tuple[str, ...]:
    """What to tell the user of weights that are trained for the first time after the first step.

    Args:
        late: How many there are.
        apart: How many of them get their own step count.
        own_steps: Whether this was asked for.
    """
    notes = []
    if apart:
        notes.append(
            f"{apart} weights are trained for the first time and count their own steps, in an optimizer of their own "
            '(step_count="shared" shares the step count)'
        )
    if late > apart:
        hint = CANNOT_SPLIT if own_steps else 'step_count="separate" lets them count their own steps'
        notes.append(
            f"{late - apart} weights are trained for the first time at a large step count: their first steps may be "
            f"several times the learning rate ({hint})"
        )
    return tuple(notes)
