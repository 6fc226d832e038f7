"""The addresses of many weights, in which many globs are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.matching.told.moved import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.access.matching.told.moved import Steps
    from weightkit.access.ref import WeightRef


class Addresses:
    """Some weights with their addresses.

    Args:
        refs: The weights.
    """

    def __init__(self, refs: Iterable[WeightRef]) -> None:
        self.of: dict[WeightRef, tuple[Steps, ...]] = {ref: tuple(steps(ref)) for ref in refs}
        """By name, where the layer of a weight has one; last by structure."""
        self._with: dict[str, dict[WeightRef, None]] = {}
        for ref, known in self.of.items():
            for one in known:
                for name in one.all:
                    self._with.setdefault(name, {})[ref] = None

    def shown(self, ref: WeightRef) -> Steps:
        """The address that people read: by name, where it is known, else by structure."""
        return self.of[ref][0]

    def stored(self, ref: WeightRef) -> Steps:
        """The address by structure."""
        return self.of[ref][-1]

    def by(self, *, name: bool, names: Sequence[str] = ()) -> Iterator[tuple[WeightRef, Steps]]:
        """The weights with one of their addresses.

        Args:
            name: Whether it is the one that people read; else by structure.
            names: Those without one of these in any address are left out.
        """
        fewest = min((self._with.get(one, {}) for one in names), key=len) if names else self.of
        for ref in fewest:
            yield ref, self.of[ref][0 if name else -1]
