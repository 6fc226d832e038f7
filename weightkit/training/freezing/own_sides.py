"""Giving models their sides where their flags change, in place of compiling them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.training.freezing.turn_entry import Part
from weightkit.training.model.compile_arguments import is_compiled
from weightkit.training.model.flag_record import FlagRecord
from weightkit.training.model.holders import training_of
from weightkit.training.optimizer.recompilation import Recompiled
from weightkit.training.optimizer.recompiling import CompileOptions
from weightkit.training.optimizer.sides import Side, Sides

if TYPE_CHECKING:
    from weightkit.training.model.holders import Training


@dataclass(frozen=True, slots=True, eq=False)
class OwnSides(CompileOptions):
    """Gives each model whose training changes the side for what it trains now."""

    model: Any = None
    """The model whose flags change."""
    before: Training | None = None
    """What it trained, where it is compiled."""
    parts: list[Part] = field(default_factory=list)
    """The models that got a side."""

    @classmethod
    def of(cls, model: Any) -> OwnSides:
        """For a model, before its flags change."""
        return cls(model=model, before=training_of(model) if is_compiled(model) else None)

    def apply(self, model: Any, *, may_unsplit: bool = False) -> Recompiled:  # noqa: ARG002  # no optimizer changes
        """Give a model its side."""
        count = len(model.trainable_variables)
        if model is self.model and training_of(model) == self.before:
            return Recompiled(count, 0, 0, 0)
        outside = Side.present(model)
        side, is_new = Sides.of(model).side(model)
        side.put(model)
        self.parts.append(Part(model, outside, side, FlagRecord.of(model)))
        return Recompiled(0, 0, 0, count) if is_new else Recompiled(count, 0, 0, 0)

    def all_parts(self) -> list[Part]:
        """The models that got a side, and before them the model itself, with or without one."""
        own = [part for part in self.parts if part.model is self.model]
        others = [part for part in self.parts if part.model is not self.model]
        return [*(own or [Part(self.model, None, None, FlagRecord.of(self.model))]), *others]
