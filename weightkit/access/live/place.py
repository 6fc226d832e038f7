"""Where the value of one weight of a live object comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live.handles import as_numpy
from weightkit.access.live.object_walk import saved_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from weightkit.access.live.handles import Handle


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A variable, or a value that an object computes on saving, such as a kernel with LoRA merged in."""

    handle: Handle | None
    """None for a computed value that can be read but not set."""
    thing: Any = None
    """The object that saves it; None for a variable from a list."""
    key: str = ""
    """The key under which the object saves it."""
    variable: Any = None
    """The variable itself; another address may have the same one."""

    def variables(self) -> Sequence[Any]:
        """The variable, or all of the object that computes the value."""
        return getattr(self.thing, "variables", ()) if self.variable is None else (self.variable,)

    def look(self) -> np.ndarray:
        """The value as it would be saved now: do not change or keep it."""
        if self.handle is None:
            return as_numpy(saved_values(self.thing)[self.key])
        return self.handle.look(self.handle.value())
