"""What was done to a model's flags, how to take it back, and that it is done whole or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.training.model.compile_arguments import is_compiled, require_compilable
from weightkit.training.model.flags import Flags, flags_of, made_in
from weightkit.training.optimizer.recompiling import Unfrozen, compile_with, require_known

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What was done to a model, and how to take it back."""

    model: weakref.ref[Any]
    before: Flags
    after: Flags
    """As they were left: what another plan has changed since is told by this."""
    recompile_too: bool
    """Whether the model was to be compiled again, if it is compiled."""

    def undo(self, unfrozen_slots: Unfrozen) -> None:
        """Put the flags back, and compile the model again if it is compiled by now; on an error nothing is changed."""
        own = counts_own(unfrozen_slots)
        model = self.model()
        if model is None:
            raise RequestError("the model of this plan is gone", hint="apply the plan to another one")
        compiles = self.recompile_too and is_compiled(model)
        if compiles:
            require_compilable(model)
        now = flags_of(tuple(layer for layer, _ in self.before.layers))
        with or_as_they_were(now):
            self._taken_back(now).set()
            if compiles:
                compile_with(model, own_step=own, rejoin=True)

    def _taken_back(self, now: Flags) -> Flags:
        """The flags without what this plan changed; what it left alone stays as others have made it since."""
        variables = list(_together(self.before.variables, self.after.variables, now.variables))
        unfrozen = {id(variable) for variable, was, left, _ in variables if was and not left}
        layers = []
        for layer, was, left, is_now in _together(self.before.layers, self.after.layers, now.layers):
            opens = is_now != left and any(id(v) in unfrozen for v in made_in(layer))  # another plan has closed it
            layers.append((layer, was if was != left else is_now or opens))
        flags = ((variable, was if was != left else is_now) for variable, was, left, is_now in variables)
        return Flags(tuple(layers), tuple(flags))


def _together(
    before: Iterable[tuple[Any, bool]], after: Iterable[tuple[Any, bool]], now: Iterable[tuple[Any, bool]]
) -> Iterator[tuple[Any, bool, bool, bool]]:
    """Each thing with its flag before, after and now."""
    left = {id(thing): flag for thing, flag in after}
    present = {id(thing): flag for thing, flag in now}
    for thing, flag in before:
        yield thing, flag, left[id(thing)], present.get(id(thing), left[id(thing)])


@contextlib.contextmanager
def or_as_they_were(flags: Flags) -> Iterator[None]:
    """Put flags back on any error and interruption."""
    try:
        yield
    except BaseException:
        flags.set()
        raise


def counts_own(unfrozen_slots: str) -> bool:
    """Whether late weights count their own steps.

    Raises:
        RequestError: It is no such way to begin.
    """
    require_known(unfrozen_slots)
    return unfrozen_slots == "own_step"
