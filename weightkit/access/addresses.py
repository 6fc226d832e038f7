"""The address by which a weight's draws are keyed: the same in a file and in the model that is loaded from it.

It is the name address where that is known, else the structural one. What differs between the formats and from one
build of a model to the next is evened out: automatic names (``dense_7``) count as no names and are numbered by their
rank among the automatic names of that class beside them (``dense``, ``dense_1``), and a recurrent layer's only cell,
which Keras 2 does not write, is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.names.keys import class_of_key
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_MODELS = ("functional", "model", "sequential")
_CELLS = ("conv_lstm_cell", "conv_lst_m_cell", "gru_cell", "lstm_cell", "simple_rnn_cell")
_NUMBERED = re.compile(r"(forward_|backward_)?(.*?)(?:_(\d{1,9}))?")


def addresses(refs: Iterable[WeightRef]) -> dict[WeightRef, str]:
    """The address of every weight, the optimizer's left out; all are different."""
    weights = [ref for ref in refs if ref.kind is not Kind.OPTIMIZER]
    root = _Scope()
    for ref in weights:
        if ref.layer is not None and ref.name is not None:
            root.enter(_segments(ref)).weights += 1
    root.settle()
    found = {ref: _address(ref, root) for ref in weights}
    seen = Counter(found.values())
    return {ref: address if seen[address] == 1 else ref.structure for ref, address in found.items()}


@dataclass(slots=True, eq=False)
class _Scope:
    """One layer's name among those beside it."""

    below: dict[str, _Scope] = field(default_factory=dict)
    weights: int = 0
    """How many weights are its own."""
    settled: str = ""
    """Its name in addresses; empty where it adds nothing."""

    def enter(self, segments: list[str]) -> _Scope:
        """The scope of that path below this one, made where it is not there yet."""
        scope = self
        for segment in segments:
            scope = scope.below.setdefault(segment, _Scope())
        return scope

    def settle(self) -> None:
        """Name everything below."""
        stack = [self]
        while stack:
            scope = stack.pop()
            for name, settled in _settled(scope).items():
                scope.below[name].settled = settled
            stack.extend(scope.below.values())


def _settled(scope: _Scope) -> dict[str, str]:
    """The names in addresses of what lies in a scope."""
    automatic: dict[str, list[tuple[int, str]]] = {}
    found = {name: name for name in scope.below}
    for name in scope.below:
        if (parts := _parts(name)) is not None:
            automatic.setdefault(parts[0], []).append((parts[1], name))
    for base, named in automatic.items():
        for rank, (_, name) in enumerate(sorted(named)):
            found[name] = f"{base}_{rank}" if rank else base
    if list(found.values()) in [[cell] for cell in _CELLS] and not scope.weights:
        return dict.fromkeys(found, "")
    return found


def _parts(name: str) -> tuple[str, int] | None:
    """``("forward_lstm", 3)`` of ``forward_lstm_3``; None for what is no automatic name."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    side, base, number = match.groups()
    if base in _MODELS or base in _CELLS or class_of_key(base) is not None:
        return (side or "") + base, int(number or 0)
    return None


def _segments(ref: WeightRef) -> list[str]:
    return ref.layer.split("/") if ref.layer else []


def _address(ref: WeightRef, root: _Scope) -> str:
    if ref.layer is None or ref.name is None:
        return ref.structure
    scope, settled = root, []
    for segment in _segments(ref):
        scope = scope.below[segment]
        settled.append(scope.settled)
    address = "/".join(filter(None, [*settled, ref.name]))
    return address if ref.duplicate == 1 else f"{address}#{ref.duplicate}"
