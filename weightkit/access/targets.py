"""Targets: a path, a model or layer in memory, a list of variables, or an open store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

from weightkit.access.store import WeightStore
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Saveable(Protocol):
    """A model, a layer or an optimizer of Keras 3."""

    def save_own_variables(self, store: Any, /) -> None:
        """Write its own variables into a Keras store."""


Target: TypeAlias = str | os.PathLike[str] | WeightStore | Saveable | Sequence[Any]
"""What functions take: a path; a model, a layer or a list of variables of Keras 3; or an open store."""


def is_store(target: object) -> TypeGuard[WeightStore]:
    """Whether this is an open store of weights, weightkit's or a third party's."""
    return isinstance(target, WeightStore)


@contextlib.contextmanager
def both_opened(first: Target, second: Target) -> Iterator[tuple[WeightStore, WeightStore]]:
    """The stores of two targets, to read; all their reading processes start before NumPy is loaded.

    Raises:
        RequestError: There is no such file, or it has no weights yet.
        RefusedError: A file is damaged, unsafe, or holds no Keras weights.
    """
    with contextlib.ExitStack() as stack:
        opening = [_opening(target, stack) for target in (first, second)]
        ours, theirs = (stack.enter_context(store()) for store in opening)
        yield ours, theirs


def _opening(target: Target, stack: contextlib.ExitStack) -> Callable[[], AbstractContextManager[WeightStore]]:
    """Start to open a file, to be finished by the call; anything else is opened by the call."""
    if not isinstance(target, str | os.PathLike):
        return lambda: opened(target)
    from weightkit.access.open import FileOpening  # noqa: PLC0415  # stores do without

    return stack.enter_context(contextlib.closing(FileOpening(target))).store


@contextlib.contextmanager
def opened(target: Target, *, editable: bool = False, like: Target | None = None) -> Iterator[WeightStore]:
    """The store of a target, closed after use; an open store is returned itself, and stays open.

    Raises:
        RequestError: There is no such file, it has no weights yet, or ``like`` was given for an open store.
        RefusedError: The file is damaged, unsafe, or holds no Keras weights.
    """
    if is_store(target):
        if like is not None:
            raise RequestError(
                "like must be left out for an open store", hint="give it to open_weights", file=target.label
            )
        yield target
        return
    from weightkit.access.open import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    source: Any = target
    with open_weights(source, editable=editable, like=like) as store:
        yield store
