"""Variables as they are held, whatever type a layer around computes in."""

from __future__ import annotations

from typing import Any

from keras.src.backend.common.variables import AutocastScope


def as_held() -> Any:
    """A scope in which variables give their values in their own type.

    Norms and power iterations are computed in it, so that mixed precision rounds a computed weight once, as it
    rounds a plain one. Keras 3.15 has no public door to this scope, and ``autocast=False`` does not open it for a
    layer that is called by itself.
    """
    return AutocastScope(None)
