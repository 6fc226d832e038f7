"""Seconds of scaling a model in memory: with Keras' own means, then with weightkit."""

import os
import statistics
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

from weightkit import Scale, edit

count, units, runs = map(int, sys.argv[1:])
model = keras.Sequential([keras.Input((units,))] + [keras.layers.Dense(units) for _ in range(count)])


def theirs():
    model.set_weights([weight * np.float32(0.5) for weight in model.get_weights()])


def ours():
    edit(model, Scale(0.5))


times = {theirs: [], ours: []}
for _ in range(runs + 1):
    for job, seconds in times.items():
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
