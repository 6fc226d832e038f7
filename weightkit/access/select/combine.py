"""Turn the arguments ``where=`` and ``exclude=`` into selectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias, Union

from weightkit.access.select.parse import parse
from weightkit.access.select.selectors import Or, Selector, as_selector
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef

Choice: TypeAlias = Union[str, Selector, "Callable[[WeightRef], bool]"]
"""One selection: text, a selector, or a plain callable."""
Where: TypeAlias = Choice | Iterable[Choice] | None
"""What ``where=`` and ``exclude=`` take: one selection, several, or none."""


def combine(
    where: Choice | Iterable[Choice] | None, exclude: Choice | Iterable[Choice] | None = None
) -> tuple[Selector | None, Selector | None]:
    """Read both; several choices in one of them are a union.

    Args:
        where: What to choose; None leaves it to the caller's default.
        exclude: What to exclude; None or an empty list excludes nothing.

    Returns:
        The selector for each; None if it was not given.

    Raises:
        SelectionError: If a text is malformed, something is not a selection, or ``where`` is an empty list:
            a list that is empty by mistake must not select everything.
    """
    chosen = _union(where, "where")
    if where is not None and chosen is None:
        raise SelectionError("where= is an empty list of selections", hint="leave it out for the default")
    return chosen, _union(exclude, "exclude")


def _union(given: Choice | Iterable[Choice] | None, argument: str) -> Selector | None:
    selectors = [_selector(choice, argument) for choice in _choices(given)]
    return Or.of(*selectors) if len(selectors) > 1 else next(iter(selectors), None)


def _choices(given: object) -> Iterable[object]:
    if given is None:
        return ()
    if isinstance(given, str) or callable(given) or not isinstance(given, Iterable):
        return (given,)
    return given


def _selector(choice: object, argument: str) -> Selector:
    if isinstance(choice, str):
        return parse(choice)
    if hasattr(choice, "variables") and hasattr(choice, "name"):  # Keras' layers are callable too
        problem = f"{argument}= must be a selection, got the layer '{choice.name}'"
        raise SelectionError(problem, hint="give the layer's name, as in weightkit's addresses")
    if isinstance(choice, type):  # callable too, but it would make an object of each weight
        problem = f"{argument}= must be a selection, got the class {choice.__name__}"
        raise SelectionError(problem, hint=f"give 'class:{choice.__name__}' for the layers of a class")
    if callable(choice):
        return as_selector(choice)
    problem = f"{argument}= must be a selection, got {type(choice).__name__}"
    raise SelectionError(problem, hint="give text, a selector, a callable, or a list of these")
