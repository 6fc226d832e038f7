"""Seconds of loading weights into a model: with Keras' own means, then with weightkit."""

import os
import statistics
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

from weightkit import load_weights

path, count, runs = sys.argv[1], *map(int, sys.argv[2:])
model = keras.Sequential([keras.Input((8,))] + [keras.layers.Dense(8) for _ in range(count)])
model.save_weights(path)


def theirs():
    model.load_weights(path)


def ours():
    load_weights(model, path)


times = {theirs: [], ours: []}
for _ in range(runs + 1):
    for job, seconds in times.items():
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
