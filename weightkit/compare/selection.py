"""Which weights of two stores are compared: a selection selects a pair if it matches either weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import combine
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access import Selector, WeightRef, WeightStore, Where


class Selection:
    """The weights that are compared, all of them by default.

    Args:
        where: Which weights.
        exclude: Which of the selected weights to leave out.
        stores: The two stores.

    Raises:
        SelectionError: The selection is malformed, or a path in it matches nothing in either store.
    """

    def __init__(self, where: Where, exclude: Where, stores: Sequence[WeightStore]) -> None:
        self._where, self._exclude = combine(where or None, exclude or None)
        for selector in (self._where, self._exclude):
            _require_found(selector, stores)
        self._bound = [
            tuple(selector and selector.bind(tuple(store), ordered=store.ordered) for store in stores)
            for selector in (self._where, self._exclude)
        ]

    def __call__(self, ours: WeightRef | None, theirs: WeightRef | None) -> bool:
        """Whether a pair is compared; one of the two may be None."""
        where, exclude = (_matches(bound, (ours, theirs)) for bound in self._bound)
        return (self._where is None or where) and not exclude


def _matches(bound: tuple[Selector | None, ...], refs: tuple[WeightRef | None, ...]) -> bool:
    return any(
        selector is not None and ref is not None and selector(ref) for selector, ref in zip(bound, refs, strict=True)
    )


def _require_found(selector: Selector | None, stores: Sequence[WeightStore]) -> None:
    for part in () if selector is None else selector.alternatives:
        errors = [error for store in stores if (error := _miss(part, store)) is not None]
        # A layer may be in one store only: that is what a comparison is to find.
        if len(errors) == len(stores):
            raise errors[0]


def _miss(part: Selector, store: WeightStore) -> SelectionError | None:
    try:
        store.select(part)
    except SelectionError as error:
        return error
    return None
