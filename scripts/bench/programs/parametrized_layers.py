"""Seconds of training and prediction, ours and by hand, and peak memory."""

import os
import re
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
from keras import ops

from weightkit.layers import Held, LowRank, Mask, Parametrized, SpectralNorm, StandardizedWeight, Tied, WeightNorm, bake

what, shape, runs, only = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
STEPS = 20
is_conv = shape == "conv"
rng = np.random.default_rng(0)
x = rng.normal(size=(STEPS * 4, 28, 28, 128) if is_conv else (STEPS * 64, 1024)).astype("float32")
batch = 4 if is_conv else 64


def plain():
    return keras.layers.Conv2D(128, 3, padding="same") if is_conv else keras.layers.Dense(1024)


kernel_shape = (3, 3, 128, 128) if is_conv else (1024, 1024)
ins = tuple(range(len(kernel_shape) - 1))
mask = (rng.random(kernel_shape) < 0.5).astype("float32")
source = keras.layers.Dense(1024)
source.build((None, 1024))
source_conv = keras.layers.Conv2D(128, 3)
source_conv.build((None, 28, 28, 128))
source = source_conv if is_conv else source


class Hand(keras.layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=kernel_shape, trainable=what != "LowRank")
        self.bias = self.add_weight(name="bias", shape=(kernel_shape[-1],), initializer="zeros")
        one = (1,) * len(ins) + kernel_shape[-1:]
        flat = int(np.prod(kernel_shape[:-1]))
        if what in ("WeightNorm", "StandardizedWeight"):
            self.g = self.add_weight(name="g", shape=one, initializer="ones")
        if what == "SpectralNorm":
            self.u = self.add_weight(name="u", shape=kernel_shape[-1:], initializer="ones", trainable=False)
        if what == "LowRank":
            self.a = self.add_weight(name="a", shape=(flat, 8))
            self.b = self.add_weight(name="b", shape=(8, kernel_shape[-1]))
        if what in ("Mask", "Held"):
            self.m = self.add_weight(name="m", shape=kernel_shape, trainable=False)
            self.m.assign(mask)
        if what == "Held":
            self.held = self.add_weight(name="held", shape=kernel_shape, trainable=False)
            self.held.assign(mask)

    def weight(self, training):
        k = ops.convert_to_tensor(self.kernel)
        if what == "WeightNorm":
            return k * (self.g * ops.rsqrt(ops.sum(ops.square(k), ins, keepdims=True)))
        if what == "StandardizedWeight":
            c = k - ops.mean(k, ins, keepdims=True)
            return c * (self.g * ops.rsqrt(ops.mean(ops.square(c), ins, keepdims=True) + 1e-5))
        if what == "SpectralNorm":
            m = ops.reshape(k, (-1, kernel_shape[-1]))
            s = ops.stop_gradient(m)
            unit = lambda t: t / ops.sqrt(ops.sum(ops.square(t)))
            v = unit(ops.matmul(s, self.u[:, None])[:, 0])
            u = ops.convert_to_tensor(self.u)
            if training:
                u = unit(ops.matmul(v[None], s)[0])
                self.u.assign(u)
            return k / ops.sum(v * ops.matmul(m, u[:, None])[:, 0])
        if what == "LowRank":
            return k + ops.reshape(ops.matmul(self.a, self.b), kernel_shape)
        if what == "Held":
            return ops.where(ops.not_equal(self.m, 0), ops.convert_to_tensor(self.held), k)
        return k * self.m

    def call(self, inputs, training=None):
        w = self.weight(training)
        out = ops.conv(inputs, w, padding="same") if is_conv else ops.matmul(inputs, w)
        return out + self.bias


class HandTied(keras.layers.Layer):
    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(kernel_shape[-1],), initializer="zeros")

    def call(self, inputs):
        w = source.kernel.value
        return (ops.conv(inputs, w, padding="same") if is_conv else ops.matmul(inputs, w)) + self.bias


MADE = {
    "WeightNorm": WeightNorm,
    "SpectralNorm": SpectralNorm,
    "StandardizedWeight": StandardizedWeight,
    "Held": lambda: Held(mask != 0),
    "Mask": lambda: Mask(mask),
    "LowRank": lambda: LowRank(8),
    "Tied": lambda: Tied(source, "kernel"),
}


def compiled(model):
    model.compile(keras.optimizers.SGD(1e-6), "mse", jit_compile=False)
    return model


def of(layer):
    return compiled(keras.Sequential([keras.Input(x.shape[1:]), layer]))


models = {}
if what in ("baked", "plain"):
    wrapped = Parametrized(plain(), kernel=WeightNorm()) if what == "baked" else None
    if only != "theirs":
        models["ours"] = compiled(bake(of(wrapped))) if wrapped else of(plain())
    if only != "ours":
        models["theirs"] = of(plain())
else:
    if only != "theirs":
        models["ours"] = of(Parametrized(plain(), kernel=MADE[what]()))
    if only != "ours":
        models["theirs"] = of(HandTied() if what == "Tied" else Hand())
import tensorflow as tf

data = tf.data.Dataset.from_tensor_slices((x, x)).batch(batch).cache().repeat()
only_x = tf.data.Dataset.from_tensor_slices(x).batch(batch).cache().repeat()
# What fit and predict call for each batch, without what they do once: made by a first epoch, then timed step by step,
# each model in its turn, so that whatever else the machine does falls upon all alike.
acts, traced = {}, dict.fromkeys(models, 0)


def counted(name, original):
    def call(*arguments, **options):
        traced[name] += 1
        return original(*arguments, **options)

    return call


for name, model in models.items():
    model.layers[0].call = counted(name, model.layers[0].call)
    model.fit(data, steps_per_epoch=STEPS, verbose=0)
    model.predict(only_x, steps=STEPS, verbose=0)
    # a step of fit fetches its batch in the graph, one of predict is given it
    acts[name] = [
        (model.train_function, iter(data), lambda batches: batches),
        (model.predict_function, iter(only_x), lambda batches: [next(batches)]),
    ]
settled = dict(traced)
times = [{name: [] for name in models} for _ in range(2)]
for run in range(runs * STEPS):
    for name in list(models) if run % 2 else reversed(models):
        for (function, batches, given), found in zip(acts[name], times, strict=True):
            argument = given(batches)
            start = time.perf_counter()
            function(argument)
            found[name].append(time.perf_counter() - start)
assert traced == settled, f"calls by the end, {traced}, after a first epoch {settled}: it was traced again"
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
print(*(min(one) for found in times for one in found.values()), peak)
