"""The address that keys a weight's random draws: the same in a file and in the model that is loaded from it.

It is the name address where that is known, else the structural one. Differences between formats, and between builds
of one model, are removed. Automatic names (``dense_7``) do not count as names: they are numbered by their rank among
their siblings' automatic names of that class (``dense``, ``dense_1``), in stored order where that is known, else by
number. So is any other name with a number, by that number alone: few files tell whether ``block_3`` is a user's name
or the automatic one of a user's class. A recurrent layer's only cell, which Keras 2 does not write, is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.copied_weights import originals
from weightkit.access.names.automatic_names import automatic, numbered_name, numbered_variable
from weightkit.access.names.layer_order import turns
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_CELLS = ("conv_lstm_cell", "conv_lst_m_cell", "gru_cell", "lstm_cell", "simple_rnn_cell")  # the second: Keras 2


def draw_addresses(refs: Iterable[WeightRef]) -> dict[WeightRef, str]:
    """The address of every weight but the optimizer's; all are different, but for copies of a weight."""
    weights = [ref for ref in refs if ref.kind is not Kind.OPTIMIZER]
    root = _Scope()
    for ref in weights:
        if ref.layer is not None and ref.name is not None:
            root.enter(_segments(ref)).weights.append(ref)
    root.settle(ordered=bool(getattr(refs, "ordered", False)))
    found = {ref: _address(ref, root) for ref in weights}
    seen = Counter(found.values())
    # Two weights at one address would draw the same numbers.
    keys = {ref: address if seen[address] == 1 else ref.structure for ref, address in found.items()}
    # But a copy must have those of its original.
    return keys | {copy: keys[original] for copy, original in originals(weights).items()}


@dataclass(slots=True, eq=False)
class _Scope:
    """One layer's name among its siblings."""

    below: dict[str, _Scope] = field(default_factory=dict)
    weights: list[WeightRef] = field(default_factory=list)
    """Its own."""
    settled: str = ""
    """Its name in addresses; empty if it adds nothing."""
    names: dict[WeightRef, str] = field(default_factory=dict)
    """Names in addresses of its own weights that were given none."""

    def enter(self, segments: list[str]) -> _Scope:
        """The scope at that path below this one, created if missing."""
        scope = self
        for segment in segments:
            scope = scope.below.setdefault(segment, _Scope())
        return scope

    def all_weights(self) -> list[WeightRef]:
        """Its own weights and those below."""
        found, stack = [], [self]
        while stack:
            scope = stack.pop()
            found.extend(scope.weights)
            stack.extend(scope.below.values())
        return found

    def settle(self, *, ordered: bool) -> None:
        """Name everything below; ``ordered`` says whether it was added in the order of the layers."""
        stack = [self]
        while stack:
            scope = stack.pop()
            scope.names = _unnamed(scope.weights)
            for name, settled in _settled(scope, ordered=ordered, nested=scope is not self).items():
                scope.below[name].settled = settled
            stack.extend(scope.below.values())


def _settled(scope: _Scope, *, ordered: bool, nested: bool) -> dict[str, str]:
    """The names in addresses of a scope's children."""
    groups: dict[str, list[tuple[int, str]]] = {}
    found = {name: name for name in scope.below}
    for name in scope.below:
        # The class is not used: not every file knows it, and an automatic name is automatic in every file.
        base, number = _parts(name) or numbered_name(name)
        groups.setdefault(base, []).append((number, name))
    for base, numbered in groups.items():
        layers = [scope.below[name].all_weights() for _, name in numbered]
        known = _parts(base) is not None
        # Without an order, all places are equal, and the numbers of the names decide.
        places = (known and turns(layers, ordered=ordered, nested=nested)) or [0] * len(layers)
        ranked = sorted(zip(places, numbered, strict=True))
        for rank, (_, (_, name)) in enumerate(ranked):
            found[name] = f"{base}_{rank}" if rank else base
    if list(found.values()) in [[cell] for cell in _CELLS] and not scope.weights:
        return dict.fromkeys(found, "")
    return found


def _unnamed(weights: Iterable[WeightRef]) -> dict[WeightRef, str]:
    """Names by rank for weights that were given none: ``variable_7`` counts all such weights of a process."""
    found = [(number, ref) for ref in weights if (number := numbered_variable(ref.name or "")) is not None]
    ranked = sorted(found, key=lambda numbered: numbered[0])
    return {ref: f"variable_{rank}" for rank, (_, ref) in enumerate(ranked)}


def _parts(name: str) -> tuple[str, int] | None:
    """``("forward_lstm", 3)`` of ``forward_lstm_3``; None for other names."""
    return automatic(name) or next((found for cell in _CELLS if (found := automatic(name, cell))), None)


def _segments(ref: WeightRef) -> list[str]:
    return ref.layer.split("/") if ref.layer else []


def _address(ref: WeightRef, root: _Scope) -> str:
    if ref.layer is None or ref.name is None:
        return ref.structure
    scope, settled = root, []
    for segment in _segments(ref):
        scope = scope.below[segment]
        settled.append(scope.settled)
    address = "/".join(filter(None, [*settled, scope.names.get(ref, ref.name)]))
    return address if ref.duplicate == 1 else f"{address}#{ref.duplicate}"
