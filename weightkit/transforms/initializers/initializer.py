"""The interface of initializers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from weightkit.transforms.initializers.draws import Draws

Shape = tuple[int, ...]


class Initializer(Protocol):
    """A frozen dataclass; its ``repr`` is the code that makes it."""

    @property
    def elementwise(self) -> bool:
        """Whether any span of a weight can be computed alone."""

    def objection(self, shape: Shape) -> str:
        """Why a weight of this shape cannot be initialized, as the end of a sentence; empty if it can."""

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """Elements ``first`` to ``last`` (C order) of a weight, flat, in float64.

        Args:
            shape: Of the whole weight.
            draws: The random numbers of this weight.
            first: First element; 0 where it is not elementwise.
            last: Where the elements end; the weight's size where it is not elementwise.
        """


class AnyShape:
    """An initializer for weights of any shape."""

    __slots__ = ()

    def objection(self, shape: Shape) -> str:  # noqa: ARG002  # every shape is fine
        """None."""
        return ""
