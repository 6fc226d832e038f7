"""Initializers of whole matrices: no element can be drawn alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from weightkit.transforms.initializers.numbers import require_finite
from weightkit.transforms.initializers.one_thread import one_thread

if TYPE_CHECKING:
    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Shape


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """A random matrix with orthonormal columns (or rows, if it has more columns), times ``gain``.

    All axes but the last are rows. Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks".
    """

    gain: float = 1.0
    elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_finite(self, gain=self.gain)

    def objection(self, shape: Shape) -> str:
        """The shape must be that of a matrix, or have more axes."""
        return "" if len(shape) >= 2 else "an orthogonal weight must have two or more axes"  # noqa: PLR2004  # a matrix

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """The Q of a normal matrix's QR; its columns get the signs of R's diagonal, which makes it uniform.

        Computed in float64; Keras computes it in the weight's own type.
        """
        rows, columns = math.prod(shape[:-1]), shape[-1]
        # Columns can be orthonormal only where there are at least as many rows.
        normal = draws.normal(rows * columns, first, last).reshape(max(rows, columns), min(rows, columns))
        with one_thread():
            q, r = np.linalg.qr(normal)
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)
        matrix: np.ndarray = self.gain * (q.T if rows < columns else q)
        return matrix.reshape(-1)


@dataclass(frozen=True, slots=True)
class FirstAxisOrthogonal:
    """`Orthogonal` for a kernel whose output axis comes first: that axis is the rows, all others the columns."""

    gain: float = 1.0
    elementwise: ClassVar[bool] = False

    def objection(self, shape: Shape) -> str:
        """The shape must be that of a matrix, or have more axes."""
        return Orthogonal(self.gain).objection(shape)

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """The matrix with its last axis moved to the front."""
        if len(shape) == 2:  # noqa: PLR2004  # a matrix: rows or columns are orthonormal, whichever are fewer
            return Orthogonal(self.gain)(shape, draws, first, last)
        turned = (*shape[1:], shape[0])
        drawn = Orthogonal(self.gain)(turned, draws, first, last).reshape(turned)
        return np.moveaxis(drawn, -1, 0).reshape(-1)


@dataclass(frozen=True, slots=True)
class Identity:
    """``gain`` on the diagonal of a matrix, 0 elsewhere; it need not be square."""

    gain: float = 1.0
    elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_finite(self, gain=self.gain)

    def objection(self, shape: Shape) -> str:
        """The shape must be that of a matrix."""
        return "" if len(shape) == 2 else "an identity matrix must have two axes"  # noqa: PLR2004

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:  # noqa: ARG002
        """The matrix; nothing is drawn."""
        matrix: np.ndarray = self.gain * np.eye(shape[0], shape[1])
        return matrix.reshape(-1)
