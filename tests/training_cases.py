"""Small models, their optimizers, and looks at what those remember, for the tests of the training helpers."""

from __future__ import annotations

import keras
import numpy as np

from weightkit.training.optimizer.slot_values import read_slots, values_of

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "lion": lambda: keras.optimizers.Lion(0.01),
    "ema": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "loss_scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
}
X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
STEPS = 3


def sequential():
    """Three layers, of which one is called ``part``."""
    layers = [
        keras.layers.Dense(4, name="part"),
        keras.layers.Dense(3, name="middle"),
        keras.layers.Dense(1, name="head"),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def nested():
    """A model within a model; ``part`` is inside, and ``backbone`` all of that."""
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, name="part")(inputs)
    backbone = keras.Model(inputs, keras.layers.BatchNormalization(name="bn")(hidden), name="backbone")
    outer = keras.Input((4,))
    return keras.Model(outer, keras.layers.Dense(1, name="head")(backbone(outer)))


@keras.saving.register_keras_serializable("weightkit_tests")
class Subclassed(keras.Model):
    """Layers in attributes."""

    def __init__(self, **options):
        super().__init__(**options)
        self.part = keras.layers.Dense(4, name="part", activation="tanh")
        self.head = keras.layers.Dense(1, name="head")

    def call(self, inputs):
        return self.head(self.part(inputs))


def subclassed():
    """A model of a class of its own, built."""
    model = Subclassed()
    model(X[:2])
    return model


def shared():
    """One layer, ``part``, used twice."""
    part = keras.layers.Dense(4, name="part")
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(part(part(inputs))))


MODELS = {"sequential": sequential, "nested": nested, "subclassed": subclassed, "shared": shared}


def compiled(model="sequential", optimizer="adam", **options):
    """A compiled model, always the same; nothing of it is traced, which would take more time than its training."""
    keras.utils.set_random_seed(1)
    made = MODELS[model]()
    made.compile(OPTIMIZERS[optimizer](), **{"loss": "mse", "run_eagerly": True} | options)
    return made


def traced(model="sequential", optimizer="adam", **options):
    """The same, whose steps the backend traces, where that is what may go wrong."""
    return compiled(model, optimizer, run_eagerly=False, **options)


def fit(model, epochs=1):
    """Three steps an epoch; the losses."""
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def weights(model, where=""):
    """The values of all variables whose path has ``where`` in it."""
    return {id(v): values_of(v) for v in model.variables if where in v.path and v.dtype == "float32"}


def same(ours, theirs):
    """Whether the same variables have the same bytes."""
    return ours.keys() == theirs.keys() and all(ours[key].tobytes() == theirs[key].tobytes() for key in ours)


def slots(optimizer):
    """The bytes of every slot, by owner and name."""
    return {(key, name): v.tobytes() for key, kept in read_slots(optimizer).items() for name, v in kept.slots.items()}


def counter(optimizer):
    """The raw count of steps."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return int(values_of(inner.variables[0]))
