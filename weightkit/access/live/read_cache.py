"""Cache what layers compute on each request, while the model does not change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from weightkit.access.configured import Configured
    from weightkit.access.live.place import Place
    from weightkit.access.ref import WeightRef

_KEPT = 2  # weights: threads read spans in order, and may be at the end of one weight and the start of the next


class Steady:
    """Configurations of layers, and the latest few of the values that layers compute when they save."""

    def __init__(self) -> None:
        self._values: dict[WeightRef, np.ndarray] = {}
        self._configured: dict[int, Configured | None] = {}
        self._lock = threading.Lock()

    def value(self, ref: WeightRef, place: Place) -> np.ndarray:
        """A weight's value, computed once for consecutive spans: do not change or keep it."""
        with self._lock:
            # Under the lock: otherwise two threads would compute the same value.
            if ref not in self._values:
                while len(self._values) >= _KEPT:
                    del self._values[next(iter(self._values))]
                self._values[ref] = place.look()
            return self._values[ref]

    def configured(self, thing: Any, ask: Callable[[Any], Configured | None]) -> Configured | None:
        """What ``ask`` returns for a layer, called once for all of its weights."""
        if id(thing) not in self._configured:  # the store keeps all things alive, so an id names one of them
            self._configured[id(thing)] = ask(thing)
        return self._configured[id(thing)]
