"""Rates by depth: the longest path to the output counts, not the order of the layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import compiled, subclassed

from weightkit.errors import RequestError
from weightkit.training import (
    discriminative_learning_rates,
    freeze,
    layerwise_lr_decay,
    recompile,
    trainable_summary,
)

L = keras.layers


def rates(model):
    return {layer.layer: layer.learning_rates[0] for layer in trainable_summary(model).layers if layer.learning_rates}


def close(found, wanted):
    return found.keys() == wanted.keys() and np.allclose(list(found.values()), [wanted[name] for name in found])


def branched():
    """A stem, a deep and a short branch, a nested model and a head; ``twice`` is called first and last."""
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, L.Dense(4, name="top")(L.Dense(4, name="bottom")(inner_input)), name="inner")
    inputs, twice = keras.Input((4,)), L.Dense(4, name="twice")
    stem = L.Activation("tanh")(twice(inputs))
    short = L.Dense(4, name="short")(stem)
    deep = L.Dense(4, name="deep")(L.LayerNormalization(name="norm")(stem))
    nested = inner(L.Add()([short, deep]) * 2.0)
    model = keras.Model(inputs, L.Dense(1, name="head")(twice(nested)))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    return model


DEPTHS = {
    "twice": 6, "norm": 5, "deep": 4, "short": 4, "inner/bottom": 3, "inner/top": 2, "head": 0,
}  # fmt: skip


def test_the_rate_decays_with_the_longest_path_to_the_output():
    model = branched()
    layerwise_lr_decay(model, 0.5)
    assert close(rates(model), {name: 0.5**depth for name, depth in DEPTHS.items()})
    # From the highest present rate: the same again.
    layerwise_lr_decay(model, 0.5)
    assert close(rates(model), {name: 0.5**depth for name, depth in DEPTHS.items()})
    layerwise_lr_decay(model, 0.1, learning_rate=2.0)
    assert close(rates(model), {name: 2 * 0.1**depth for name, depth in DEPTHS.items()})


def test_discriminative_rates_are_geometric_from_the_lowest_to_the_topmost_layer():
    model = branched()
    discriminative_learning_rates(model, 1e-6, 1.0)
    assert close(rates(model), {name: 10.0**-depth for name, depth in DEPTHS.items()})
    flat = compiled()
    discriminative_learning_rates(flat, 1e-4, 1e-2)
    assert close(rates(flat), {"part": 1e-4, "middle": 1e-3, "head": 1e-2})
    freeze(flat, "middle")
    discriminative_learning_rates(flat, 1e-5, 1e-1)
    assert close(rates(flat), {"part": 1e-5, "head": 1e-1})


def test_wrong_arguments_and_models_without_a_graph_are_refused():
    model, other = compiled(), subclassed()
    other.compile("sgd", "mse")
    before = model.optimizer
    with pytest.raises(RequestError, match=r"decay must be above 0 and at most 1, got 1\.5"):
        layerwise_lr_decay(model, 1.5)
    scheduled = compiled()
    recompile(scheduled, learning_rate=keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5))
    with pytest.raises(RequestError, match="learning_rate must be given where the optimizer follows a schedule"):
        layerwise_lr_decay(scheduled)
    layerwise_lr_decay(scheduled, 0.5, learning_rate=1.0)
    assert close(rates(scheduled), {"part": 0.25, "middle": 0.5, "head": 1.0})
    with pytest.raises(RequestError, match="low must be a number above 0, got 0"):
        discriminative_learning_rates(model, 0, 0.1)
    with pytest.raises(RequestError, match="must be Functional or Sequential: its layers have no graph"):
        layerwise_lr_decay(other)
    with pytest.raises(RequestError, match="must be compiled"):
        discriminative_learning_rates(keras.Sequential([keras.Input((2,)), L.Dense(1)]), 0.1, 0.2)
    assert model.optimizer is before
