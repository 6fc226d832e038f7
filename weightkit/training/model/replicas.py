"""Variables that have a value of their own on each replica, as those of TensorFlow's MirroredStrategy do."""

from __future__ import annotations

from typing import Any

import numpy as np


class Replicas:
    """What a variable holds on each replica, to go back to.

    Weights are in step, but metrics and, in Keras 3.15, the statistics of a BatchNormalization are not: each replica
    measures its own share of the data. Setting the variable sets all of them alike.
    """

    def __init__(self, variable: Any) -> None:
        """Look; a variable in one place has none."""
        self._kept = [(one, np.array(one.numpy(), copy=True)) for one in replicas_of(variable)]

    def put_back(self) -> None:
        """Give each what it held."""
        for one, values in self._kept:
            one.assign(values)


def replicas_of(variable: Any) -> tuple[Any, ...]:
    """The backend's variables by which one of Keras is on several replicas; empty where it is in one place."""
    values = getattr(variable._value, "values", None)  # noqa: SLF001  # a method of PyTorch's, where it is there
    return values if isinstance(values, tuple) else ()
