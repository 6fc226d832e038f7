"""The interface of transforms, and of the edit that applies one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.ref import Kind
from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore


class Transform(ABC):
    """What an edit does to weights: a frozen dataclass without state, whose ``repr`` is the code that makes it.

    Subclass it and write `__call__`. Everything else has a default, for transforms that compute new parameters element
    by element, in the weight's own type.

    While an edit is planned, these are called in turn: `require_apart`, `on`, `objection` for each selected
    weight, `settled`, `changes` and `notes`, `advice`.
    """

    __slots__ = ()

    elementwise: ClassVar[bool] = True
    """Whether spans of a weight may come one at a time, in any order, from any thread."""
    sets_values: ClassVar[bool] = True
    """Whether the selected weights get new values; otherwise they are removed."""
    sets_types: ClassVar[bool] = False
    """Whether weights may get another type; in a list of acts, only the last one may."""
    selection: ClassVar[Literal["optional", "required", "none"]] = "optional"
    """Whether a selection may, must or must not be given."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of weights that it changes by default."""
        return frozenset({Kind.PARAMETER})

    @property
    def reads_models(self) -> bool:
        """Whether it may read a model in memory while it computes.

        Such a model may share variables with the one that is edited, which is then set at the very end. A large edit
        (over 64 MiB) takes less memory where this is False.
        """
        return True

    def require_apart(self, store: WeightStore, output: Path | None = None) -> None:  # noqa: B027  # most read nothing
        """Check that it does not read from the very store that it changes, nor from the output.

        Nothing is opened for it yet.

        Raises:
            RequestError: It does.
        """

    def on(self, store: WeightStore) -> Transform:  # noqa: ARG002  # the same for all
        """The transform that plans for this store; override it to learn about the store first.

        Raises:
            RequestError: It does not work on such a store.
        """
        return self

    def dtype(self, ref: WeightRef) -> np.dtype:
        """The type of the new values: the weight's own, for most transforms."""
        return ref.dtype

    def objection(self, ref: WeightRef) -> str:  # noqa: ARG002  # the same for all
        """Why this weight cannot be transformed, as the end of a sentence; empty if it can.

        Raises:
            RequestError: It can, but not with these arguments; the whole edit is refused.
        """
        return ""

    def concerns(self, ref: WeightRef) -> bool:  # noqa: ARG002  # the same for all
        """Whether a selection is about this weight; if not, it is skipped even where it is selected directly."""
        return True

    def whole(self, ref: WeightRef) -> bool:  # noqa: ARG002  # the same for all
        """Whether this weight must be computed whole."""
        return not self.elementwise

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Transform:  # noqa: ARG002  # the same for all
        """The transform that the plan keeps, once the selected weights are known.

        Raises:
            SelectionError: These cannot be transformed together.
        """
        return self

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:  # noqa: ARG002  # the same for all
        """What else changes in a file."""
        return NO_CHANGES

    def notes(self) -> tuple[str, ...]:
        """What the user should know before the edit, for any store, one sentence each."""
        return ()

    def advice(
        self,
        store: WeightStore,  # noqa: ARG002  # there is none
        chosen: Sequence[WeightRef],  # noqa: ARG002
        changes: Changes,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """What the user should know about these weights and changes, one sentence each."""
        return ()

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> Transform:  # noqa: ARG002  # the same for all
        """The same for another store; ``pairs`` maps the planned references to the new ones."""
        return self

    def parts(self, ref: WeightRef) -> tuple[Transform, ...]:  # noqa: ARG002  # itself for all
        """The transforms that change this weight, one after the other; what each of them loses is counted."""
        return (self,)

    @abstractmethod
    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """New values for the elements ``span`` of a weight; ``values`` must not be changed."""


class Edit(Protocol):
    """The part of a plan that doing and verifying it need."""

    @property
    def transform(self) -> Transform:
        """What is done."""

    @property
    def chosen(self) -> tuple[WeightRef, ...]:
        """The selected weights."""

    @property
    def changes(self) -> Changes:
        """What else changes in a file."""

    @property
    def nbytes(self) -> int:
        """Bytes of all selected weights."""
