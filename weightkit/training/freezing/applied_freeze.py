"""What a freeze plan changed on one model, and how to undo it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.training.freezing.flag_change import change_flags
from weightkit.training.freezing.held_averages import start_averages
from weightkit.training.model.compile_arguments import require_changeable
from weightkit.training.model.flags import Flags, flags_of, trainable_variables_in

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.layers.parametrized.replacing.in_place import InPlace
    from weightkit.training.optimizer.recompiling import CompileOptions


@dataclass(frozen=True, slots=True, eq=False)
class AppliedFreeze:
    """The flags of one model before and after a plan was applied to it."""

    model: weakref.ref[Any]
    before: Flags
    after: Flags
    """The flags that the plan left; present flags that differ were changed later, by another plan or by hand."""
    recompiles: bool
    """Whether undoing compiles the model again, where it is compiled."""
    held: InPlace | None = None
    """Layers that were wrapped for the plan, to hold entries."""

    def undo(self, options: CompileOptions, also: Sequence[Any] = ()) -> None:
        """Restore the flags, and compile again what is compiled by now and trains them; on an error nothing changes.

        Args:
            options: How to compile.
            also: Other compiled models that must be compiled again, whatever changes.

        Raises:
            RequestError: The model is gone, or it or another one that has its weights cannot be compiled again.
        """
        model = self.model()
        if model is None:
            raise RequestError("the model of this plan no longer exists", hint="apply the plan to another model")
        act = f"the trainable flags of {model.name} must not change"
        require_changeable(model, act, recompiles=self.recompiles)
        if not self.recompiles:
            options = replace(options, recompile=False, optimizer_state="carry")
        now, warns = flags_of(tuple(layer for layer, _ in self.before.layers)), bool(model.trainable_variables)
        masks = {} if self.held is None else self.held.held()
        with self._released() as released:
            others = (*also, *released)
            change_flags(model, now, self._undone(now), options, also=others, may_unsplit=True, warns=warns)
            for one in (model, *released) if masks else ():
                start_averages(one, masks.values())

    def _released(self) -> contextlib.AbstractContextManager[Sequence[Any]]:
        """Take the layers out of their wrappers that the plan wrapped; gives the models that hold them."""
        return contextlib.nullcontext(()) if self.held is None else self.held.released()

    def _undone(self, now: Flags) -> Flags:
        """The flags without this plan's changes; what others changed since stays."""
        variables = list(_merged(self.before.variables, self.after.variables, now.variables))
        unfrozen = {id(variable) for variable, was, left, _ in variables if was and not left}
        layers = []
        for layer, was, left, is_now in _merged(self.before.layers, self.after.layers, now.layers):
            # Another plan froze the layer since; it must be trainable for a weight that is unfrozen here.
            reopens = is_now != left and any(id(v) in unfrozen for v in trainable_variables_in(layer))
            layers.append((layer, was if was != left else is_now or reopens))
        flags = ((variable, was if was != left else is_now) for variable, was, left, is_now in variables)
        return Flags(tuple(layers), tuple(flags))


def _merged(
    before: Iterable[tuple[Any, bool]], after: Iterable[tuple[Any, bool]], now: Iterable[tuple[Any, bool]]
) -> Iterator[tuple[Any, bool, bool, bool]]:
    """Each layer or variable with its flag before the plan, after it, and now."""
    left = {id(thing): flag for thing, flag in after}
    present = {id(thing): flag for thing, flag in now}
    for thing, flag in before:
        # A layer may have lost the variable since, as when it is quantized: its flag is as the plan left it.
        yield thing, flag, left[id(thing)], present.get(id(thing), left[id(thing)])
