"""A small model of blocks, and what is compared of it, for tests of training in stages."""

from __future__ import annotations

import keras
import numpy as np

from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X[:, :1] * 2
DATA = {"x": X, "y": Y, "batch_size": 6, "shuffle": False, "verbose": 0}
"""Arguments of ``fit``: two steps an epoch."""
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "ema": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "loss_scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
}


def blocks():
    dense = keras.layers.Dense
    return [
        dense(4, "tanh", name="stem"),
        dense(4, "tanh", name="block1"),
        keras.layers.Dropout(0.3, seed=5, name="drop"),
        keras.layers.BatchNormalization(name="norm"),
        dense(4, "tanh", name="block2"),
        dense(1, name="head"),
    ]


def made(optimizer="adam", *, eager=True):
    """Always the same model, compiled."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), *blocks()], name="small")
    model.compile(OPTIMIZERS[optimizer](), "mse", run_eagerly=eager)
    return model


def state(model):
    """Bytes and flags of all weights, the optimizer's variables, and the slots of frozen weights."""
    waiting = [[v.tobytes() for v in kept.slots.values()] for kept in parked_slots_of(model).values()]
    weights = [(v.trainable, values_of(v).tobytes()) for v in model.variables]
    return weights, [values_of(v).tobytes() for v in model.optimizer.variables], sorted(waiting)
