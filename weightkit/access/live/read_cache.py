"""What layers tell and compute anew whenever they are asked, kept while nobody changes them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from weightkit.access.configured import Configured
    from weightkit.access.live.place import Place
    from weightkit.access.ref import WeightRef

_KEPT = 2  # weights: spans are read in order, by threads that may be at the end of one and the start of the next


class Steady:
    """Configurations of layers, and the latest few of the values that layers compute when they save."""

    def __init__(self) -> None:
        self._values: dict[WeightRef, np.ndarray] = {}
        self._configured: dict[int, Configured | None] = {}
        self._lock = threading.Lock()

    def value(self, ref: WeightRef, place: Place) -> np.ndarray:
        """The value of a weight, computed once for spans that are read in a row: not to be changed, nor kept."""
        with self._lock:
            if ref not in self._values:
                while len(self._values) >= _KEPT:
                    del self._values[next(iter(self._values))]
                self._values[ref] = place.look()
            return self._values[ref]

    def configured(self, thing: Any, ask: Callable[[Any], Configured | None]) -> Configured | None:
        """What ``ask`` says of a layer, asked once for all of its weights."""
        if id(thing) not in self._configured:
            self._configured[id(thing)] = ask(thing)
        return self._configured[id(thing)]
