"""Selecting by what is known about a weight besides its address: ``class:Dense``, ``rank:>=2``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind
from weightkit.access.select.automaton import Automaton
from weightkit.access.select.roles import Role, role_of
from weightkit.access.select.segment import Segment
from weightkit.access.select.selection_errors import malformed, shown
from weightkit.access.select.selectors import Reach, Selector
from weightkit.access.select.tokens import Part, Token, alternatives

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

HIGHEST_RANK = 64  # axes; NumPy's own limit

_READ: dict[str, Callable[[WeightRef], str | None]] = {
    "class": lambda ref: ref.layer_class,
    "dtype": lambda ref: ref.stored_as or ref.dtype.name,
    "kind": lambda ref: ref.kind.value,
    "name": lambda ref: ref.name,
    "rank": lambda ref: str(len(ref.shape)),
    "role": role_of,
    "trainable": lambda ref: None if ref.trainable is None else str(ref.trainable).lower(),
}
_NAMES_THE_WEIGHT = frozenset({"kind", "name", "role"})

_CLOSED: dict[str, tuple[str, ...]] = {
    "kind": tuple(Kind),
    "role": tuple(Role),
    "trainable": ("true", "false"),
}
_RANK = re.compile(r"(>=|<=|>|<|)([0-9]{1,2})")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "": int.__eq__,
    ">=": int.__ge__,
    "<=": int.__le__,
    ">": int.__gt__,
    "<": int.__lt__,
}


@dataclass(frozen=True)
class Field(Selector):
    """The weights whose field has one of the given values; weights with an unknown value are not chosen.

    Args:
        word: The field: class, dtype, kind, name, rank, role or trainable.
        value: Values, as in ``kernel|bias`` or ``{kernel,bias}``; for class, dtype and name they are globs.

    Raises:
        SelectionError: If there is no such field, or it has no such value.
    """

    word: str
    value: str
    _automaton: Automaton = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.word not in _READ:
            fault = f"has the unknown field {shown(self.word)}"
            raise malformed(str(self), fault, f"use one of {', '.join(sorted(_READ))}")
        paths = [[segment] for segment in self._asked()]
        object.__setattr__(self, "_automaton", Automaton(paths))

    def reach(self, ref: WeightRef) -> Reach:
        """ITSELF for what distinguishes a weight from its neighbors, AROUND for class, rank and trainable."""
        value = self.read(ref)
        if value is None:
            return Reach.NONE
        found = list(self._automaton.leading([value]))
        if self.word in _NAMES_THE_WEIGHT and any(leading.named for leading in found):
            return Reach.ITSELF
        return Reach.AROUND if found else Reach.NONE

    def read(self, ref: WeightRef) -> str | None:
        """The weight's value; None where it is not known."""
        return _READ[self.word](ref)

    def __str__(self) -> str:
        return f"{self.word}:{self.value}"

    def _asked(self) -> list[Segment]:
        asked = list(map(Segment, alternatives(str(self), start=len(self.word) + 1, is_path=False)))
        if any(not segment.tokens for segment in asked):
            raise malformed(str(self), "has an empty value", f"write one, as in '{_EXAMPLES[self.word]}'")
        if self.word == "rank":
            return [rank for segment in asked for rank in self._ranks(segment)]
        if self.word in _CLOSED:
            self._refuse_others(asked)
        return asked

    def _refuse_others(self, asked: list[Segment]) -> None:
        for segment in asked:
            if segment.literal not in _CLOSED[self.word]:
                fault = f"has the unknown {self.word} {_shown(segment)}"
                raise malformed(str(self), fault, f"use one of {', '.join(_CLOSED[self.word])}")

    def _ranks(self, segment: Segment) -> list[Segment]:
        """Every rank that one value allows, spelled out."""
        match = _RANK.fullmatch(segment.literal or "")
        if match is None or int(match[2]) > HIGHEST_RANK:
            fault = f"has the invalid rank {_shown(segment)}"
            hint = f"write a number of axes from 0 to {HIGHEST_RANK}, as in 'rank:2', 'rank:2|4' or 'rank:>=2'"
            raise malformed(str(self), fault, hint)
        compare, bound = _COMPARE[match[1]], int(match[2])
        # As text, so that ranks are matched by the automaton, like all other values.
        ranks = (str(rank) for rank in range(HIGHEST_RANK + 1) if compare(rank, bound))
        return [Segment((Token(Part.TEXT, rank),)) for rank in ranks]


_EXAMPLES = {
    "class": "class:Dense",
    "dtype": "dtype:float16",
    "kind": "kind:statistic",
    "name": "name:kernel|bias",
    "rank": "rank:2",
    "role": "role:kernel",
    "trainable": "trainable:false",
}


def _shown(segment: Segment) -> str:
    return shown("".join(token.value for token in segment.tokens))
