"""Variables with a value on each replica, as under TensorFlow's MirroredStrategy."""

from __future__ import annotations

from typing import Any

import numpy as np


class Replicas:
    """The value of a variable on each replica, saved so that it can be restored.

    The values of a weight are equal on all replicas. Those of metrics and, in Keras 3.15, of the moving statistics of a
    BatchNormalization are not: each replica sees its own share of the data. Assigning the variable would make
    them equal.
    """

    def __init__(self, variable: Any) -> None:
        """Copy the values; a variable without replicas has none."""
        self._values = [(one, np.array(one.numpy(), copy=True)) for one in replicas_of(variable)]

    def put_back(self) -> None:
        """Restore the value on each replica."""
        for one, values in self._values:
            one.assign(values)


def replicas_of(variable: Any) -> tuple[Any, ...]:
    """The backend's variable on each replica; empty where a Keras variable has no replicas."""
    values = getattr(variable._value, "values", None)  # noqa: SLF001  # on PyTorch this may be a method
    # A MirroredVariable of TensorFlow has its variables in this tuple.
    return values if isinstance(values, tuple) else ()
