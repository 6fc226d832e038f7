"""The bias of an LSTM, whose forget gate starts open, whatever its configured initializer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Initializer, Shape


@dataclass(frozen=True, slots=True)
class ForgetBias:
    """``parts`` equal parts of a vector, one of which has another initializer than the others.

    Keras concatenates the three: each is drawn separately, with its own fans.
    """

    around: Initializer
    forget: Initializer
    part: int
    parts: int
    elementwise: ClassVar[bool] = False

    def objection(self, shape: Shape) -> str:
        """The vector must divide into its parts."""
        if len(shape) != 1 or shape[0] % self.parts:
            return f"an LSTM's bias must be a vector of {self.parts} equal parts, got shape {shape}"
        pieces = ((self.around, part) for part in (self.part, self.parts - self.part - 1))
        units = shape[0] // self.parts
        whys = [how.objection((units * part,)) for how, part in (*pieces, (self.forget, 1)) if part]
        return next(filter(None, whys), "")

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:  # noqa: ARG002
        """The part before the forget gate, the forget gate, and the part after it."""
        units = shape[0] // self.parts
        sizes = (self.part * units, units, (self.parts - self.part - 1) * units)
        # The names key the draws: with other names, every seed gives another bias.
        pieces = zip(("before", "forget", "behind"), (self.around, self.forget, self.around), sizes, strict=True)
        return np.concatenate([how((size,), draws.part(name), 0, size) for name, how, size in pieces if size])
