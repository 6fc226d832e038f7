"""One entry into a block in which weights are frozen in turn: flags and sides are set, and set back at its end."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.restore_on_error import restore_on_error
from weightkit.training.freezing.compiled_models import compile_holders
from weightkit.training.model.compile_arguments import require_not_running
from weightkit.training.model.holders import training_of
from weightkit.training.optimizer.recompiling import CompileOptions, unchanged_on_error
from weightkit.training.optimizer.sides import Sides

if TYPE_CHECKING:
    from weightkit.training.freezing.applied_freeze import AppliedFreeze
    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.model.compilations import Compilations
    from weightkit.training.model.flag_record import FlagRecord
    from weightkit.training.optimizer.sides import Side


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A model in one entry."""

    model: Any
    outside: Side | None
    """What it had before; None where its training does not change, or it is not compiled."""
    inside: Side | None
    record: FlagRecord
    """Its flags inside."""

    def is_unchanged(self) -> bool:
        """Whether it is still as it was made at the entry."""
        has_side = self.inside is None or self.inside.is_in(self.model)
        return has_side and self.record.is_current(self.model)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One time in the block."""

    plan: FreezePlan
    compilations: Compilations
    """Every compiled model, with what its last ``compile`` made."""
    parts: list[Part]
    """The model itself first."""

    def enter(self) -> None:
        """Set the flags and sides of the inside, or on an error none."""
        with restore_on_error(self._set_outside):
            self._set_inside()

    def leave(self) -> bool:
        """Set the flags and sides of the outside, or on an error none.

        Returns:
            Whether nothing else has changed inside.

        Raises:
            RequestError: A loop of Keras runs; or something changed inside, and a model cannot be compiled again.
        """
        model = self.parts[0].model
        require_not_running(model, f"the trainable flags of {model.name} must not change")
        newer = self.compilations.newer()
        if any(part.model in newer or not part.is_unchanged() for part in self.parts):
            self._undo()
            return False
        for part in self.parts:
            if part.inside is not None:
                part.inside.keep(part.model)
        trained = [(one, training_of(one)) for one in newer]
        with restore_on_error(self._set_inside):
            self._set_outside()
            compile_holders(model, [one for one, before in trained if training_of(one) != before])
        return True

    def _set_inside(self) -> None:
        self._applied.after.set()
        for part in self.parts:
            if part.inside is not None:
                part.inside.put(part.model)

    def _set_outside(self) -> None:
        self._applied.before.set()
        for part in self.parts:
            if part.outside is not None:
                part.outside.put(part.model)

    def _undo(self) -> None:
        """Undo the plan where something else changed inside: with the optimizers of the outside, compiled again.

        A model that was compiled inside keeps the optimizer that it got there.
        """
        turned = [part for part in self.parts if part.inside is not None]
        with contextlib.ExitStack() as undo:
            for part in turned:
                undo.enter_context(unchanged_on_error(part.model))
                self._put_back(part)
            self._applied.undo(CompileOptions(), [part.model for part in turned])

    def _put_back(self, part: Part) -> None:
        if part.inside is None or part.outside is None or not self.compilations.is_same(part.model):
            return
        if part.inside.is_in(part.model):
            part.inside.keep(part.model)
            part.inside.forget()  # it may have been made for other flags
        else:
            Sides.of(part.model).remove(part.inside)
        part.outside.put(part.model)

    @property
    def _applied(self) -> AppliedFreeze:
        if self.plan.applied is None:
            raise RuntimeError("the plan of an entry is applied")
        return self.plan.applied
