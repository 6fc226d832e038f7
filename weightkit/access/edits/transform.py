"""What is done to weights, and what of a plan its doing needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.ref import Kind
from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore


class Transform(ABC):
    """What an edit does to weights: a frozen dataclass without state, whose ``repr`` is what to type to get it.

    Subclass it, and write `__call__`. All else has a default, which suits what computes new parameters element by
    element, in the weight's own type.

    While an edit is planned, these are called in turn: `on`, `objection` for each selected weight, `settled`,
    `changes` and `notes`, `advice`.
    """

    __slots__ = ()

    elementwise: ClassVar[bool] = True
    """Whether any span of a weight may be given alone, in any order, by any thread."""
    sets_values: ClassVar[bool] = True
    """Whether the chosen weights get new values; else they go."""
    selection: ClassVar[Literal["optional", "required", "none"]] = "optional"
    """Whether it takes a selection, and whether it can do without."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of weights that it touches without being asked for them."""
        return frozenset({Kind.PARAMETER})

    def on(self, store: WeightStore) -> Transform:  # noqa: ARG002  # the same for all
        """What chooses weights of this store; one that has to learn of the store first gives another here.

        Raises:
            RequestError: It cannot be done on such a store.
        """
        return self

    def dtype(self, ref: WeightRef) -> np.dtype:
        """The type of the new values: the weight's own, for most transforms."""
        return ref.dtype

    def objection(self, ref: WeightRef) -> str:  # noqa: ARG002  # the same for all
        """Why this weight cannot be transformed, as the end of a sentence; empty where it can.

        Raises:
            RequestError: It can, but not as asked; the whole edit is refused.
        """
        return ""

    def whole(self, ref: WeightRef) -> bool:  # noqa: ARG002  # the same for all
        """Whether this weight has to be computed whole."""
        return not self.elementwise

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Transform:  # noqa: ARG002  # the same for all
        """What the plan keeps, once it is known which weights of the store are chosen.

        Raises:
            SelectionError: These cannot be transformed together.
        """
        return self

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:  # noqa: ARG002  # the same for all
        """What happens to a file besides new values."""
        return NO_CHANGES

    def notes(self) -> tuple[str, ...]:
        """What the owner should know before it is done, whatever the store is, a sentence each."""
        return ()

    def advice(
        self,
        store: WeightStore,  # noqa: ARG002  # there is none
        chosen: Sequence[WeightRef],  # noqa: ARG002
        changes: Changes,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """What the owner should know of these weights and changes, a sentence each."""
        return ()

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> Transform:  # noqa: ARG002  # the same for all
        """The same for the references of another store, by those of the store that it was planned on."""
        return self

    @abstractmethod
    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """New values for the elements ``span`` of a weight; ``values`` may not be changed."""


class Edit(Protocol):
    """What of a plan its doing and its checking need."""

    @property
    def transform(self) -> Transform:
        """What is done."""

    @property
    def chosen(self) -> tuple[WeightRef, ...]:
        """The weights that it is done to."""

    @property
    def changes(self) -> Changes:
        """What happens to a file besides new values."""

    @property
    def nbytes(self) -> int:
        """Bytes of all chosen weights."""
