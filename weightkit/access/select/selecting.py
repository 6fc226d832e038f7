"""Which weights a selection chooses, where it says what to look at; and what to say of one that misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weightkit.access.select.combine import combine
from weightkit.access.select.fields import Field
from weightkit.access.select.suggestions import nearest
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.ref import WeightRef
    from weightkit.access.select.combine import Where
    from weightkit.access.select.selectors import Selector

_SHOWN = 3
_CLOSED = {"kind", "role", "rank", "trainable"}
"""Fields whose values are few and known: one that chooses nothing is no slip of the hand."""


class Listed(Protocol):
    """Weights with a name for all of them, such as a store's."""

    @property
    def label(self) -> str:
        """What messages call them."""

    @property
    def ordered(self) -> bool:
        """Whether they come in the order of the layers."""

    def __iter__(self) -> Iterator[WeightRef]:
        """All of them."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The weights that were chosen, and what to say of the selection."""

    refs: tuple[WeightRef, ...]
    notes: tuple[str, ...]
    """Of parts of the selection that match nothing, a sentence each."""


def selected(weights: Listed, where: Where = None, exclude: Where = None) -> Selected:
    """Choose weights to look at: every kind of them without a selection.

    Raises:
        SelectionError: The selection is malformed, or chooses nothing.
    """
    refs = tuple(weights)
    chosen, excluded = (
        None if selector is None else selector.bind(refs, ordered=weights.ordered)
        for selector in combine(where, exclude)
    )
    notes = missed(chosen, excluded, refs, weights.label)
    found = tuple(
        ref for ref in refs if (chosen is None or chosen(ref)) and not (excluded is not None and excluded(ref))
    )
    if excluded is not None and refs and not found:
        raise SelectionError(
            f"the selection leaves nothing: exclude '{excluded}' takes all of it",
            hint="exclude less",
            file=weights.label,
        )
    return Selected(found, notes)


def missed(where: Selector | None, exclude: Selector | None, refs: Sequence[WeightRef], label: str) -> tuple[str, ...]:
    """Refuse selections that miss, and say which of them do.

    A path that matches nothing is a slip: what it was to choose, or to protect, would be got wrong silently. A field
    or an expression that matches nothing, beside others, gets a sentence; so does one that asks for more layers than
    there are.

    Raises:
        SelectionError: ``where`` chooses nothing, or a path among the selections matches nothing.
    """
    if where is not None and not any(map(where, refs)):
        raise _chooses_nothing(where, refs, label)
    notes = []
    for part in (part for selector in (where, exclude) if selector is not None for part in selector.alternatives):
        if any(map(part, refs)):
            notes += [shortfall] if (shortfall := part.shortfall()) else []
            continue
        if part.is_path:
            raise _chooses_nothing(part, refs, label)
        notes.append(f"the selection {part} matches nothing")
    return tuple(notes)


def _chooses_nothing(selector: Selector, refs: Sequence[WeightRef], label: str) -> SelectionError:
    named = [f"name:{selector}"] if any(ref.name == str(selector) for ref in refs) else []
    near = (named + nearest(selector, refs))[:_SHOWN]
    hint = f"did you mean {' or '.join(near)}?" if near else "`weightkit show` lists what is there"
    if near and isinstance(selector, Field) and selector.word in _CLOSED:  # it was meant, and another is no hint
        hint = f"the weights here are {' or '.join(near)}"
    return SelectionError(f"the selection '{selector}' chooses nothing", hint=hint, file=label)
