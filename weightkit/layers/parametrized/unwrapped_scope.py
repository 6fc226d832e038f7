"""Build the layer inside a wrapper so that its variables have the Keras paths that they have without the wrapper."""

from __future__ import annotations

import contextlib
from typing import Any

from keras.src.backend.common.name_scope import current_path, name_scope


def unwrapped_scope(wrapper: Any) -> contextlib.AbstractContextManager[Any]:
    """A name scope for building the layer inside: ``body/kernel``, not ``body/body/kernel``.

    Keys of a ``LayoutMap`` and of an ``OptimizerMap`` are matched with the paths. Keras 3.15 has no public name for
    this scope.
    """
    around, _, last = current_path().rpartition("/")
    if wrapper.layer.name != wrapper.name or last != wrapper.name:
        return contextlib.nullcontext()
    # The layer's own scope, opened next, sees the same caller and is not opened again.
    scope: contextlib.AbstractContextManager[Any] = name_scope(last, caller=wrapper.layer, override_parent=around)
    return scope
