"""What was done to a model's flags, and how to take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.training.compiled import require_compilable
from weightkit.training.recompiling import recompile

if TYPE_CHECKING:
    import weakref

    from weightkit.training.flags import Flags


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What was done to a model, and how to take it back."""

    model: weakref.ref[Any]
    before: Flags
    recompiled: bool

    def undo(self) -> None:
        """Put the flags back; compile again where that was done."""
        model = self.model()
        if model is None:
            raise RequestError("the model of this plan is gone", mend="apply the plan to another one")
        if self.recompiled:
            require_compilable(model)
        self.before.set()
        if self.recompiled:
            recompile(model)
