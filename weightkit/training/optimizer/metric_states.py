"""The state of the metric objects that ``compile`` was given, which a second ``compile`` hands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.optimizer.slot_values import set_values, values_of

if TYPE_CHECKING:
    import numpy as np

_GIVEN = ("metrics", "weighted_metrics")


def reset_metrics(model: Any) -> None:
    """Reset the metric objects that ``compile`` was given and hands on, as new ones begin.

    Keras resets metrics at the beginning of an epoch, but on TensorFlow not those of a ``compile`` that has not seen
    data (Keras 3.15): metric objects that are handed on carry what they held into the first epoch after it, in which
    ``EarlyStopping`` decides by it. Metrics that ``compile`` makes from names, and the loss tracker, are new. Metrics
    in attributes of the model are reset by Keras.
    """
    for metric in _given_metrics(model):
        metric.reset_state()


class MetricStates:
    """What these metric objects hold, to be put back."""

    def __init__(self, model: Any) -> None:
        metrics = _given_metrics(model)
        self._objects = ObjectStates(metrics, [])
        variables = [variable for metric in metrics for variable in metric.variables]
        self._values: list[tuple[Any, np.ndarray]] = [(variable, values_of(variable)) for variable in variables]

    def put_back(self) -> None:
        """Restore what they held."""
        self._objects.put_back()
        for variable, values in self._values:
            set_values(variable, values)


def _given_metrics(model: Any) -> list[Any]:
    given = model._compile_config.config  # noqa: SLF001  # `get_compile_config` has serialized copies
    found = (one for name in _GIVEN for one in keras.tree.flatten(given.get(name)))
    return [one for one in found if isinstance(one, keras.metrics.Metric)]
