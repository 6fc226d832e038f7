"""Selecting the first or last layers of many: ``last:2:block*``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from weightkit.access.ref import Kind
from weightkit.access.select.paths import PathPattern
from weightkit.access.select.pattern_escape import FIELD_WORDS
from weightkit.access.select.selection_errors import malformed, shown
from weightkit.access.select.selectors import Reach, Selector
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.ref import WeightRef

_COUNT = re.compile(r"0*[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class EndLayers(Selector):
    """The weights of the first or last layers that match a glob.

    A layer is the shortest leading part of an address that the glob matches. Layers (not the optimizer) count in the
    order in which they first appear in the store; if there are fewer than ``count``, all are chosen.

    Args:
        end: From which end to count.
        count: How many layers, at least 1.
        pattern: A glob over layers.
        layers: The layers chosen, once the selector is bound to a store.

    Raises:
        SelectionError: If the count or the pattern is malformed.
    """

    end: Literal["first", "last"]
    count: int
    pattern: str
    layers: frozenset[str] | None = None
    _compiled: PathPattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = str(self)
        if self.count < 1:
            raise malformed(text, f"asks for {self.count} layers", "ask for 1 or more")
        if self.pattern.partition(":")[0] in FIELD_WORDS and ":" in self.pattern:
            hint = f"write a pattern of layers, as in '{self.end}:2:block*', and escape a ':' in a name"
            raise malformed(text, "counts a field, and only patterns of paths can be counted", hint)
        start = len(text) - len(self.pattern)
        object.__setattr__(self, "_compiled", PathPattern(text, start=start))

    def bind(self, refs: Sequence[WeightRef], *, ordered: bool) -> EndLayers:
        """Find the matching layers of the store, and keep those at the chosen end."""
        if not ordered:
            problem = f"{shown(str(self))} needs the order of the layers, but the file does not store it"
            raise SelectionError(problem, hint="name the layers, as in '{block_3,block_4}'")
        found = list(dict.fromkeys(layer for ref in refs if (layer := self._layer(ref)) is not None))
        chosen = found[: self.count] if self.end == "first" else found[-self.count :]
        return EndLayers(self.end, self.count, self.pattern, frozenset(chosen))

    def reach(self, ref: WeightRef) -> Reach:
        """AROUND for the weights of the chosen layers.

        Raises:
            SelectionError: If the selector was not bound to a store.
        """
        if self.layers is None:
            problem = f"{shown(str(self))} can only be resolved with the whole store"
            raise SelectionError(problem, hint="call bind(refs, ordered=...) and use what it returns")
        return Reach.AROUND if self._layer(ref) in self.layers else Reach.NONE

    def shortfall(self) -> str:
        """How many layers there are, where they are fewer than ``count``."""
        if not self.layers or len(self.layers) >= self.count:
            return ""
        return f"the selection {self} asks for {self.count} layers, and there are {len(self.layers)}"

    def __str__(self) -> str:
        return f"{self.end}:{self.count}:{self.pattern}"

    def _layer(self, ref: WeightRef) -> str | None:
        if ref.kind is Kind.OPTIMIZER:  # stored after the layers, but not a layer
            return None
        for names, leading in self._compiled.matches(ref):
            if leading.length:  # `**` also matches the empty part
                return "/".join(names[: leading.length])
        return None


def parse_end(text: str, end: Literal["first", "last"], value: str) -> EndLayers:
    """Read the part of ``last:2:block*`` after the first colon.

    Raises:
        SelectionError: If it is malformed.
    """
    count, colon, pattern = value.partition(":")
    if not (_COUNT.fullmatch(count) and colon):
        hint = f"write '{end}:N:PATTERN' with N of 1 or more, as in '{end}:2:block*'"
        raise malformed(text, f"has no count and pattern after '{end}:'", hint)
    return EndLayers(end, int(count), pattern)
