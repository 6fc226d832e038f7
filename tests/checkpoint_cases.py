"""Models, files and comparisons for tests of the optimizer's state in files that Keras wrote."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from weightkit.access.live.handles import as_numpy
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.optimizer.slots import slots_of

X = np.random.default_rng(1).standard_normal((8, 4)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 2)).astype("float32")
make = keras.optimizers
OPTIMIZERS = {
    "sgd": lambda: make.SGD(0.1, momentum=0.9),
    "plain": lambda: make.SGD(0.1),
    "adam": lambda: make.Adam(0.01, amsgrad=True),
    "adamw": lambda: make.AdamW(0.01),
    "adamax": lambda: make.Adamax(0.01),
    "adagrad": lambda: make.Adagrad(0.01),
    "adadelta": lambda: make.Adadelta(0.01),
    "rmsprop": lambda: make.RMSprop(0.01, momentum=0.5, centered=True),
    "nadam": lambda: make.Nadam(0.01),
    "lion": lambda: make.Lion(0.01),
    "lamb": lambda: make.Lamb(0.01),
    "adafactor": lambda: make.Adafactor(0.01),
    "muon": lambda: make.Muon(0.01),
    "ftrl": lambda: make.Ftrl(0.01),
    "schedule": lambda: make.Adam(make.schedules.ExponentialDecay(0.01, 1, 0.9)),
    "average": lambda: make.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: make.Nadam(0.01, gradient_accumulation_steps=2, use_ema=True),
    "scale": lambda: make.LossScaleOptimizer(make.Adam(0.01), initial_scale=8.0, dynamic_growth_steps=2),
    "several": lambda: make.MultiOptimizer(make.OptimizerMap(make.Adam(0.01), {".*head.*": make.SGD(0.1, 0.9)})),
    "scaled several": lambda: make.LossScaleOptimizer(OPTIMIZERS["several"]()),
}
FORMATS = {"archive": "m.keras", "legacy": "m.h5", "weights": "m.weights.h5", "folder": "m"}


def made(optimizer="adam", head=2, names=True, frozen=()):
    keras.utils.set_random_seed(3)
    named = (lambda name: {"name": name}) if names else (lambda _: {})
    stack = [keras.Input((4,)), layers.Dense(6, **named("body")), layers.BatchNormalization(**named("norm"))]
    stack += [layers.Dense(4, **named("middle")), layers.Dense(head, **named("head"))]
    model = keras.Sequential(stack, name="small")
    for name in frozen:
        model.get_layer(name).trainable = False
    model.compile(OPTIMIZERS[optimizer](), "mse", run_eagerly=True)
    return model


def train(model, steps=3):
    targets = Y[:, : model(X).shape[-1]]
    return [np.asarray(model.train_on_batch(X, targets)).tolist() for _ in range(steps)]


def state(model):
    variables = (*model.variables, *model.optimizer.variables)
    return [as_numpy(variable._value).copy() for variable in variables]


def same(first, second):
    return len(first) == len(second) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True)
    )


def saved(model, path):
    """A file as Keras writes it; the formats are told by their names."""
    if path.name == "m":
        model.save(path, zipped=False)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def give_weights(model, other):
    """The same weights, so that only the optimizer's state is to be loaded."""
    for ours, theirs in zip(other.variables, model.variables, strict=True):
        ours.assign(values_of(theirs))


def nested():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="one"), layers.Dense(4, name="two")], name="inner"
    )
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    x = layers.LayerNormalization(name="norm")(shared(inner(shared(inputs))))
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="small")


def recurrent():
    stack = [keras.Input((4,)), layers.Reshape((4, 1)), layers.Bidirectional(layers.LSTM(3, return_sequences=True))]
    stack += [layers.TimeDistributed(layers.Dense(2)), layers.GRU(2), layers.Dense(2)]
    return keras.Sequential(stack, name="small")


def attention(*, attends=True):
    """The four kernels of the attention are of one shape, so that only their order tells them apart."""
    inputs = keras.Input((4,))
    x = layers.Reshape((2, 2))(inputs)
    x = layers.MultiHeadAttention(2, 2, use_bias=False, name="attention")(x, x) if attends else x
    x = layers.SeparableConv1D(2, 2, name="convolution")(layers.PReLU(name="slope")(x))
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)), name="small")


@keras.saving.register_keras_serializable("test_checkpoints")
class Subclassed(keras.Model):
    """Layers in attributes and a list, in an order that is not that of their names, and a weight of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.z = layers.Dense(4, name="first")
        self.blocks = [layers.Dense(4, name="second"), layers.Dense(4, name="third")]
        self.a = layers.Dense(2, name="last")

    def build(self, shape):
        self.gain = self.add_weight(shape=(4,), initializer="ones", name="gain")
        for one in (self.z, *self.blocks, self.a):
            one.build((None, 4))
        super().build(shape)

    def call(self, inputs):
        x = self.z(inputs) * self.gain
        for block in self.blocks:
            x = block(x)
        return self.a(x)

    @classmethod
    def new(cls):
        model = cls(name="small")
        model.build((None, 4))
        return model


def compiled(model, optimizer="adam"):
    model.compile(OPTIMIZERS[optimizer](), "mse", run_eagerly=True)
    return model


def slots_of_layers(model):
    """By layer, weight and slot."""
    return {
        (layer.name, slot.owner.path, slot.owner.shape, slot.name): values_of(slot.variable)
        for slot in slots_of(model.optimizer)
        for layer in model.layers
        if any(one is slot.owner for one in layer.variables)
    }


def agree(first, second):
    """Whether the slots that both have are equal; and how many those are."""
    ours, theirs = slots_of_layers(first), slots_of_layers(second)
    both = ours.keys() & theirs.keys()
    assert all(np.array_equal(ours[one], theirs[one]) for one in both)
    return len(both)
