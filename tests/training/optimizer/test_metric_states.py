"""Metric objects that are handed on when a model is compiled again start over, and those of a failure go on."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, sequential

from weightkit.training import freeze
from weightkit.training.optimizer.slot_values import values_of

pytestmark = pytest.mark.every_backend


class WithMetric(keras.Model):
    """Two outputs, and a metric in an attribute, which ``compile`` does not know."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.size = keras.metrics.Mean(name="size")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.size.update_state(keras.ops.mean(keras.ops.abs(y_pred["u"])))
        return super().compute_metrics(x, y, y_pred, sample_weight)


def two_outputs(eager):
    """A model with metric objects in a list, alone, and weighted ones beside a name."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, name="part")(inputs)
    model = WithMetric(inputs, {name: keras.layers.Dense(1, name=name)(hidden) for name in "uv"})
    compile_by_hand(model, eager)
    return model


def compile_by_hand(model, eager):
    """With new metric objects."""
    metrics = {"u": [keras.metrics.MeanAbsoluteError(name="mae")], "v": keras.metrics.MeanSquaredError(name="mse")}
    weighted = {"u": [keras.metrics.RootMeanSquaredError(name="root"), "mse"]}
    optimizer = keras.optimizers.SGD(0.01)
    model.compile(optimizer, "mse", metrics=metrics, weighted_metrics=weighted, run_eagerly=eager)


def logs(model):
    data = {"u": Y, "v": -Y}
    return model.fit(X, data, batch_size=4, shuffle=False, verbose=0, validation_data=(X, data)).history


@pytest.mark.parametrize("eager", [True, False])
def test_the_first_logs_after_freezing_are_those_of_new_metric_objects(eager):
    model, by_hand = two_outputs(eager), two_outputs(eager)
    logs(model)
    freeze(model, "part")
    by_hand.set_weights(model.get_weights())
    by_hand.get_layer("part").trainable = False
    compile_by_hand(by_hand, eager)
    ours, theirs = logs(model), logs(by_hand)
    assert {"u_mae", "v_mse", "u_root", "u_mse", "size", "val_u_mae"} <= ours.keys()
    assert ours == theirs


class Unwilling(keras.metrics.MeanSquaredError):
    """Cannot be reset while it is told so."""

    refuses = False

    def reset_state(self):
        if self.refuses:
            raise MemoryError("no room")
        super().reset_state()


def test_a_metric_object_is_reset_at_once_and_keeps_its_state_where_freezing_fails():
    keras.utils.set_random_seed(1)
    model, metric, last = sequential(), keras.metrics.MeanAbsoluteError(), Unwilling(name="last")
    model.compile("sgd", "mse", metrics=[metric, last], run_eagerly=True)
    model.evaluate(X, Y, verbose=0)
    held, variables = [values_of(one) for one in metric.variables], list(metric.variables)
    assert held[1] == len(X)  # what it counted
    last.refuses = True
    with pytest.raises(MemoryError):
        freeze(model, "part")
    assert len(model.trainable_variables) == 6
    assert all(a is b for a, b in zip(variables, metric.variables, strict=True))
    assert all(np.array_equal(values_of(one), old) for one, old in zip(metric.variables, held, strict=True))
    last.refuses = False
    freeze(model, "part")
    assert [float(values_of(one)) for one in metric.variables] == [0.0, 0.0]
