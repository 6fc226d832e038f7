"""The state of the metric objects that ``compile`` was given, which a second ``compile`` hands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.optimizer.slot_values import set_values, values_of

if TYPE_CHECKING:
    import numpy as np

_GIVEN = ("metrics", "weighted_metrics")


class MetricStates:
    """What the metrics of a model hold, to be reset when it is compiled again, or put back.

    Keras resets metrics at the beginning of an epoch, but on TensorFlow not those of a ``compile`` that has not seen
    data (Keras 3.15): metric objects that are handed on carry what they held into the first epoch after it, in which
    ``EarlyStopping`` decides by it. Metrics that ``compile`` makes from names, and the loss tracker, are new. Metrics
    in attributes of the model are reset by Keras.
    """

    def __init__(self, model: Any) -> None:
        given = model._compile_config.config  # noqa: SLF001  # `get_compile_config` has serialized copies
        found = [one for name in _GIVEN for one in keras.tree.flatten(given.get(name))]
        self._metrics = [one for one in found if isinstance(one, keras.metrics.Metric)]
        self._objects = ObjectStates(self._metrics, [])
        variables = [variable for metric in self._metrics for variable in metric.variables]
        self._values: list[tuple[Any, np.ndarray]] = [(variable, values_of(variable)) for variable in variables]

    def reset(self) -> None:
        """Reset each metric, as a new one begins."""
        for metric in self._metrics:
            metric.reset_state()

    def put_back(self) -> None:
        """Restore what they held."""
        self._objects.put_back()
        for variable, values in self._values:
            set_values(variable, values)
