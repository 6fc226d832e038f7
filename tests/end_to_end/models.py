"""The kinds of models that live checks try; each is built anew by its function, in the process of one backend."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from keras import layers


class Tied(keras.layers.Layer):
    """A custom layer with a sublayer, lists in lists, and keys of its own in the file."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = layers.Dense(3, name="inside")
        pair = [layers.Dense(3, name="left"), layers.Dense(3, name="right")]
        self.towers = [pair, {"one": layers.LayerNormalization(name="last")}]

    def build(self, shape):
        self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")
        self.seen = self.add_weight(shape=(), initializer="zeros", name="seen", trainable=False)
        self.inner.build(shape)
        for tower in self.towers[0]:
            tower.build(shape)
        self.towers[1]["one"].build(shape)
        super().build(shape)

    def call(self, x):
        for tower in self.towers[0]:
            x = tower(x)
        return self.towers[1]["one"](self.inner(x) * self.scale)

    def save_own_variables(self, store):
        store["my_scale"] = self.scale
        store["seen"] = self.seen

    def load_own_variables(self, store):
        self.scale.assign(store["my_scale"])
        self.seen.assign(store["seen"])


class Subclassed(keras.Model):
    """Attributes before and after ``layers`` in the alphabet, a layer shared between two of them."""

    def __init__(self, name="mine", **options):
        super().__init__(name=name, **options)
        self.encoder = layers.Dense(4, name="encoder")
        self.mlp = [layers.Dense(4, name="first"), layers.Dense(4, name="second")]
        self.projection = layers.Dense(2, name="projection")
        self.also = self.mlp[0]

    def call(self, x):
        x = self.encoder(x)
        for layer in self.mlp:
            x = layer(x)
        return self.projection(self.also(x))


def _named(*stack, name="model"):
    return keras.Sequential([keras.Input((4,)), *stack], name=name)


def sequential():
    return _named(layers.Dense(3, name="a"), layers.BatchNormalization(name="norm"), layers.Dense(2, name="b"))


def nested():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="deep"), layers.BatchNormalization(name="norm")])
    inner.name = "inner"
    start = keras.Input((4,))
    hidden = layers.Dropout(0.5, name="drop")(inner(layers.Dense(3, name="first")(start)))
    return keras.Model(start, layers.Dense(2, name="head")(hidden), name="outer")


def shared():
    start, other = keras.Input((4,)), keras.Input((4,))
    both = layers.Dense(4, name="both")
    inner = _named(layers.Dense(4, name="twice"), name="tower")
    joined = layers.Concatenate()([inner(both(start)), inner(both(other))])
    return keras.Model([start, other], layers.Dense(2, name="head")(joined))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 4), "float32"))
    return model


def recurrent():
    start = keras.Input((5, 4))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(start)
    x = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True, name="cells")(x)
    return keras.Model(start, layers.GRU(2, dropout=0.2, name="last")(x))


def attention():
    start = keras.Input((5, 4))
    x = layers.MultiHeadAttention(2, 3, dropout=0.1, name="attend")(start, start)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(start, layers.TimeDistributed(layers.Dense(2, name="each"), name="over_time")(x))


def convolutional():
    start = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(start)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.SeparableConv2D(4, 2, use_bias=False, name="separable")(x)
    x = layers.PReLU(name="bent")(layers.GroupNormalization(2, name="groups")(x))
    return keras.Model(start, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x)))


def normalization():
    norm = layers.Normalization(name="scaled")
    norm.adapt(np.arange(8, dtype="float32").reshape(2, 4))
    return _named(norm, layers.GaussianNoise(0.1), layers.Dense(2, name="b"))


def embedding():
    start = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, name="words")(start)
    return keras.Model(start, layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", name="mix")(x))


def custom():
    return _named(layers.Dense(3, name="a"), Tied(name="tied"), layers.Dense(2, name="b"))


def low_rank():
    model = _named(layers.Dense(4, name="a"), layers.Dense(2, name="b"))
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones(model.layers[0].lora_kernel_b.shape))
    return model


def quantized():
    model = _named(layers.Dense(4, name="a"), layers.LayerNormalization(name="norm"), layers.Dense(2, name="b"))
    model.layers[0].quantize("int8")
    return model


def narrow(dtype):
    return _named(layers.Dense(3, dtype=dtype, name="a"), layers.Dense(2, name="b"))


def bfloat16():
    return narrow("bfloat16")


def float16():
    return narrow("float16")


def float64():
    """On JAX, unless it is told otherwise, such a variable holds float32."""
    return narrow("float64")


def mixed():
    return narrow("mixed_bfloat16")


def trained():
    model = sequential()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError(), metrics=["mae"])
    draw = np.random.default_rng(0)
    model.fit(draw.random((16, 4), "float32"), draw.random((16, 2), "float32"), verbose=0)
    return model


_BUILDS = itertools.count()


def built_in_turns():
    """Two layers of one class and shape, of which every other build makes the last one first.

    Their automatic numbers then say nothing: Keras loads by the order of the layers.
    """
    first, second = layers.Dense(4), layers.Dense(4)
    return _named(*((first, second) if next(_BUILDS) % 2 == 0 else (second, first)))


KINDS = {
    kind.__name__: kind
    for kind in (
        sequential, nested, shared, subclassed, recurrent, attention, convolutional, normalization, embedding, custom,
        low_rank, quantized, bfloat16, float16, float64, mixed, trained, built_in_turns,
    )
}  # fmt: skip
"""Every kind, by name: a new one is one function and one place here."""


def drawn(kind, seed=0):
    """A fresh model of a kind with values that tell its weights apart."""
    model = KINDS[kind]()
    draw = np.random.default_rng(seed)
    for variable in model.variables:
        if str(variable.dtype).startswith(("float", "bfloat")) and "optimizer" not in variable.path:
            variable.assign(draw.uniform(0.1, 1, tuple(variable.shape)).astype("float32"))
    return model


def values(things):
    """Values of variables as the backend itself gives them."""
    return [np.asarray(keras.ops.convert_to_numpy(variable.value)) for variable in things]


def all_variables(model):
    """A model's variables and its optimizer's."""
    return [*model.variables, *(model.optimizer.variables if getattr(model, "optimizer", None) else [])]


def bits(model):
    """All values of a model and its optimizer, bit for bit."""
    return _bits(all_variables(model))


def saved_bits(model, *, optimizer=True):
    """Those that files hold: the seeds of dropout they do not, and every model draws its own."""
    training = model.optimizer.variables if optimizer and getattr(model, "optimizer", None) else []
    return _bits([*model.weights, *training])


def _bits(variables):
    return [(value.dtype.name, value.shape, value.tobytes()) for value in values(variables)]


CUSTOM = {"Tied": Tied, "Subclassed": Subclassed}
"""Classes that Keras must be told of to load them."""
