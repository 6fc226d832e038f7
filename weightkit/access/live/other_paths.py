"""The paths under which Keras looks an object up: it saves each once, but loads it from any of them.

Files of Keras 2.12 to 2.15 have ``layers/block/layers/conv2d`` where Keras 3 writes ``layers/block/conv``.
"""

from __future__ import annotations

_MOST = 8
"""Most paths of one object: each way to it is one more for all that is in it."""


class OtherPaths:
    """The ways on which a walk comes to each object again, from the object around it."""

    def __init__(self) -> None:
        self._ways: dict[int, list[tuple[int, str]]] = {}
        self._found: dict[int, tuple[str, ...]] = {}

    def add(self, thing: object, around: object, step: str) -> None:
        """Note a way to an object; the first is that of its own path.

        A private one after it is of no file, unless Keras 3 has made it public: ``_query_dense`` of MultiHeadAttention.
        """
        ways = self._ways.setdefault(id(thing), [])
        if not ways or not step.startswith("_") or (id(around), step[1:]) in ways:
            ways.append((id(around), step))

    def of(self, thing: object) -> tuple[str, ...]:
        """All but the first path of an object; empty for most."""
        return self._paths(id(thing))[1:]

    def _paths(self, key: int) -> tuple[str, ...]:
        if key not in self._found:
            self._found[key] = ()  # what holds itself is on no way to itself
            ways = self._ways.get(key, [])
            paths = (f"{path}/{step}" if path else step for around, step in ways for path in self._paths(around))
            self._found[key] = tuple(dict.fromkeys(paths))[:_MOST] if ways else ("",)
        return self._found[key]
