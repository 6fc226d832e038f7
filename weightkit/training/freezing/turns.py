"""Turns: weights that are frozen again and again, as in alternate training, planned and compiled at the first entry.

At each later entry, only what may have changed since is looked at: a running loop, the layers and flags of the models,
their ``compile``, and other models. Where nothing has, flags are set, and each model gets its side.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from weightkit.training.freezing.layer_choice import choices_in
from weightkit.training.freezing.own_sides import OwnSides
from weightkit.training.freezing.turn_entry import Entry, Part
from weightkit.training.model.compilations import Compilations
from weightkit.training.model.compile_arguments import require_not_running
from weightkit.training.model.flag_record import FlagRecord
from weightkit.training.model.model_view import view_model
from weightkit.training.optimizer.sides import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.freezing.layer_choice import LayerWhere
    from weightkit.training.model.model_view import ModelView
    from weightkit.training.model.statistics_policy import Statistics
    from weightkit.training.optimizer.recompiling import CompileOptions

    Freezing: TypeAlias = Callable[[ModelView, LayerWhere, LayerWhere, Statistics, CompileOptions], FreezePlan]

_ATTRIBUTE = "_weightkit_turns"


@contextlib.contextmanager
def frozen_in_turn(
    model: Any, where: LayerWhere, exclude: LayerWhere, statistics: Statistics, freezing: Freezing
) -> Iterator[FreezePlan]:
    """Freeze weights inside a ``with`` statement, where every model whose training changes has a side of its own.

    Args:
        model: See `freeze`, as for the other arguments.
        where: See `freeze`.
        exclude: See `freeze`.
        statistics: See `freeze`.
        freezing: What makes a plan of these arguments and applies it.
    """
    chosen, excluded = (tuple(given) if isinstance(given, Iterator) else given for given in (where, exclude))
    key = _key(chosen, excluded, statistics)
    entry = _again(model, key)
    is_first = entry is None
    if entry is None:
        sides = OwnSides.of(model)
        plan = freezing(view_model(model), chosen, excluded, statistics, sides)
        entry = Entry(plan, Compilations(), sides.all_parts())
    try:
        yield entry.plan
    finally:
        if entry.leave() and is_first and key is not None:
            Turns.of(model).begun[key] = Turn.of(entry)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A model in a turn. It is kept in that model, and goes with it."""

    outside: FlagRecord
    inside: FlagRecord
    side: Side | None
    """What it has inside; None as in `Part`."""


@dataclass(frozen=True, eq=False)
class Turn:
    """What was found at the first entry. It keeps no model alive but the one in which it is kept."""

    plan: FreezePlan
    compilations: Compilations
    models: tuple[weakref.ref[Any], ...]
    """The model itself first."""

    @classmethod
    def of(cls, entry: Entry) -> Turn:
        """The turn of a first entry, at its end; its models remember what they are outside."""
        turn = cls(entry.plan, entry.compilations, tuple(weakref.ref(part.model) for part in entry.parts))
        for part in entry.parts:
            member = Member(FlagRecord.of(part.model), part.record, part.inside)
            Turns.of(part.model).members[turn] = member
        return turn

    def parts(self) -> list[Part] | None:
        """The models, for one more entry; None where something has changed."""
        models = [model for reference in self.models if (model := reference()) is not None]
        members = [Turns.of(model).members.get(self) for model in models]
        if len(models) < len(self.models) or self.compilations.newer():
            return None
        parts = []
        for model, member in zip(models, members, strict=True):
            if member is None or not member.outside.is_current(model):
                return None
            outside = None if member.side is None else Side.present(model)
            parts.append(Part(model, outside, member.side, member.inside))
        return parts


@dataclass(slots=True, eq=False)
class Turns:
    """The turns that begin at a model, and those that it takes part in."""

    begun: dict[Hashable, Turn] = field(default_factory=dict)
    members: weakref.WeakKeyDictionary[Turn, Member] = field(default_factory=weakref.WeakKeyDictionary)

    @classmethod
    def of(cls, model: Any) -> Turns:
        """Those of a model."""
        found = vars(model).get(_ATTRIBUTE)
        if not isinstance(found, cls):
            found = vars(model)[_ATTRIBUTE] = cls()  # untracked
        return found


def _again(model: Any, key: Hashable) -> Entry | None:
    """One more entry with the same arguments, or None where it must be planned."""
    if key is None or not isinstance(model, keras.layers.Layer):
        return None
    turn = Turns.of(model).begun.get(key)
    if turn is None:
        return None
    require_not_running(model, f"the trainable flags of {model.name} must not change")
    parts = turn.parts()
    if parts is None:
        return None
    entry = Entry(turn.plan, turn.compilations, parts)
    entry.enter()
    return entry


def _key(where: LayerWhere, exclude: LayerWhere, statistics: str) -> Hashable:
    """What is the same for the same arguments; None where they may select something else another time.

    A function may; a layer is referred to weakly, since it may be a model.
    """
    keys = []
    for choices in (tuple(choices_in(where)), tuple(choices_in(exclude))):
        if not all(isinstance(one, str | keras.layers.Layer) for one in choices):
            return None
        keys.append(tuple(one if isinstance(one, str) else weakref.ref(one) for one in choices))
    return (*keys, str(statistics))  # checked later: it may be anything
