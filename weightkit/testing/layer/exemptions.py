"""Exemptions from points of the contract: a fixed list of grounds, and each exemption needs a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Ground = Literal[
    "gradient=reversed", "gradient=straight_through", "gradient=none", "stochastic", "stateful_in_training"
]
"""Why a point may not hold: its gradient is not its derivative; it draws numbers; it changes its own state."""

Test = TypeVar("Test", bound="Callable[..., None]")


@dataclass(frozen=True, slots=True)
class Exemption:
    """One exemption of one layer.

    Raises:
        ValueError: The ground is not in the list, or there is no reason.

    Example:
        >>> Exemption("stochastic", "noise is drawn in training").reason
        'noise is drawn in training'
        >>> Exemption("slow", "it takes long")
        Traceback (most recent call last):
        ValueError: ground must be one of gradient=reversed, gradient=straight_through, gradient=none, ...
    """

    ground: Ground
    reason: str

    def __post_init__(self) -> None:
        if self.ground not in get_args(Ground):
            raise ValueError(f"ground must be one of {', '.join(get_args(Ground))}, got {self.ground!r}")
        if not self.reason.strip():
            raise ValueError(f"reason must say why {self.ground} holds for this layer, got {self.reason!r}")


def point(number: int, *grounds: str) -> Callable[[Test], Test]:
    """Mark a test with its point of the contract, and with the grounds on which a layer may be exempt from it.

    A test that a layer is exempt from still runs: it then checks that the exemption is true.
    """

    def mark(test: Test) -> Test:
        test.__dict__.update(point=number, grounds=grounds)
        return test

    return mark
