"""Seconds of freezing one layer: with Keras' own means, then with weightkit."""

import os
import statistics
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

from weightkit.training import freeze

count, runs = map(int, sys.argv[1:])
model = keras.Sequential([keras.Input((8,))] + [keras.layers.Dense(8) for _ in range(count)])
first = [f"{layer.name}" for layer in model.layers[:1]]


def fresh():
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)


def theirs():
    old = model.optimizer
    fresh()
    for source, target in zip(old.variables, model.optimizer.variables, strict=True):
        target.assign(source.numpy())


def ours():
    freeze(model, first)


times = {theirs: [], ours: []}
for _ in range(runs + 1):
    for job, seconds in times.items():
        model.trainable = True
        for variable in model.variables:
            variable.trainable = True
        fresh()
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
