"""The base of all selectors, and the three that combine others."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weightkit.access.ref import WeightRef


class Reach(enum.IntEnum):
    """How a selector reaches a weight; a greater value is more specific."""

    NONE = 0
    """It does not match."""
    AROUND = 1
    """It selects a layer around the weight, or a property it shares with its neighbors."""
    ITSELF = 2
    """It names the weight itself, so it also selects weights that are not parameters."""


class Selector(ABC):
    """Decides for each weight whether it is chosen, from its address and metadata, never from its values.

    A subclass is a frozen dataclass with one method, ``reach``. Selectors combine with ``&``, ``|`` and ``~``,
    also with plain callables; they compare, hash and print by their content.
    """

    @abstractmethod
    def reach(self, ref: WeightRef) -> Reach:
        """Whether the weight is chosen, and whether it is named itself."""

    def __call__(self, ref: WeightRef) -> bool:
        """Whether the weight is chosen."""
        return self.reach(ref) is not Reach.NONE

    def explicit(self, ref: WeightRef) -> bool:
        """Whether the weight is chosen by naming it, not only a layer around it.

        An edit whose selection names layers changes only their parameters; statistics and seeds are included only
        where this is True.
        """
        return self.reach(ref) is Reach.ITSELF

    @property
    def alternatives(self) -> tuple[Selector, ...]:
        """The selections of which any may choose a weight: itself, for most."""
        return (self,)

    @property
    def is_path(self) -> bool:
        """Whether it is the path of a layer or a weight, so that one that matches nothing is a slip."""
        return False

    def shortfall(self) -> str:
        """What to say where the store has less than is asked for, once it is bound; empty where it has all."""
        return ""

    def bind(self, refs: Sequence[WeightRef], *, ordered: bool) -> Selector:  # noqa: ARG002 - for subclasses
        """Resolve what needs the whole store, as ``last:2:block*`` does.

        Args:
            refs: All weights of the store, in its order.
            ordered: Whether that order is the order of the model's layers.

        Raises:
            SelectionError: If the order is needed but not known.
        """
        return self

    def __and__(self, other: Selector | Callable[[WeightRef], bool]) -> Selector:
        return And.of(self, other) if callable(other) else NotImplemented

    def __rand__(self, other: Callable[[WeightRef], bool]) -> Selector:
        return And.of(other, self) if callable(other) else NotImplemented

    def __or__(self, other: Selector | Callable[[WeightRef], bool]) -> Selector:
        return Or.of(self, other) if callable(other) else NotImplemented

    def __ror__(self, other: Callable[[WeightRef], bool]) -> Selector:
        return Or.of(other, self) if callable(other) else NotImplemented

    def __invert__(self) -> Selector:
        return Not(self)


@dataclass(frozen=True)
class Predicate(Selector):
    """A plain callable as a selector; its choices count as explicit."""

    function: Callable[[WeightRef], bool]

    def reach(self, ref: WeightRef) -> Reach:
        """What the function says."""
        return Reach.ITSELF if self.function(ref) else Reach.NONE

    def __str__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


@dataclass(frozen=True, repr=False)
class _Joined(Selector):
    """Several selectors, combined by an operator."""

    parts: tuple[Selector, ...]
    sign: ClassVar[str]

    @classmethod
    def of(cls, *sides: Selector | Callable[[WeightRef], bool]) -> Self:
        """Combine; nested combinations with the same operator are flattened."""
        parts: list[Selector] = []
        for side in map(as_selector, sides):
            # Flat, so that selections that say the same are equal and print alike.
            parts.extend(side.parts if isinstance(side, cls) else (side,))
        return cls(tuple(parts))

    def bind(self, refs: Sequence[WeightRef], *, ordered: bool) -> Selector:
        """Bind every part."""
        return type(self)(tuple(part.bind(refs, ordered=ordered) for part in self.parts))

    def __str__(self) -> str:
        return f" {self.sign} ".join(_enclosed(part, str(part)) for part in self.parts)

    def __repr__(self) -> str:
        return f" {self.sign} ".join(_enclosed(part, repr(part)) for part in self.parts)


class And(_Joined):
    """What all parts choose; explicit where any part is."""

    sign = "&"

    def reach(self, ref: WeightRef) -> Reach:
        """The furthest reach of the parts, or none if one part does not match."""
        furthest = Reach.AROUND
        for part in self.parts:
            reach = part.reach(ref)
            if reach is Reach.NONE:
                return reach
            furthest = max(furthest, reach)
        return furthest


class Or(_Joined):
    """What any part chooses; explicit where a part that chooses it is."""

    sign = "|"

    @property
    def alternatives(self) -> tuple[Selector, ...]:
        """Its parts."""
        return self.parts

    def reach(self, ref: WeightRef) -> Reach:
        """The furthest reach of the parts."""
        furthest = Reach.NONE
        for part in self.parts:
            furthest = max(furthest, part.reach(ref))
            if furthest is Reach.ITSELF:
                break
        return furthest


@dataclass(frozen=True, repr=False)
class Not(Selector):
    """What the part does not choose; never explicit, since the rest is not named."""

    part: Selector

    def reach(self, ref: WeightRef) -> Reach:
        """The opposite; AROUND at most."""
        return Reach.NONE if self.part(ref) else Reach.AROUND

    def bind(self, refs: Sequence[WeightRef], *, ordered: bool) -> Selector:
        """Bind the part."""
        return Not(self.part.bind(refs, ordered=ordered))

    def __str__(self) -> str:
        return f"~{_enclosed(self.part, str(self.part))}"

    def __repr__(self) -> str:
        return f"~{_enclosed(self.part, repr(self.part))}"


def _enclosed(part: Selector, text: str) -> str:
    return f"({text})" if isinstance(part, _Joined) else text


def as_selector(choice: Selector | Callable[[WeightRef], bool]) -> Selector:
    """The selector itself, or a plain callable wrapped as one."""
    return choice if isinstance(choice, Selector) else Predicate(choice)
