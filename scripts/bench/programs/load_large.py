"""Seconds of loading a large file into a model with one of the two; peak memory in MiB above the model's own."""

import os
import re
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

from weightkit import load_weights

who, path, count, units = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])


def resident(kind):
    return int(re.search(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def built(count, units):
    return keras.Sequential([keras.Input((units,))] + [keras.layers.Dense(units) for _ in range(count)])


def load(model, path):
    model.load_weights(path) if who == "keras" else load_weights(model, path)


# A first load is of a small model, so that no import counts.
small = str(Path(path).with_name(f"{who}-small.weights.h5"))
built(1, 8).save_weights(small)
load(built(1, 8), small)
model = built(count, units)
if not Path(path).exists():
    model.save_weights(path)
# A virtual machine takes seconds for each GiB that it gets from its host: it has enough from here on.
np.ones(2 * count * units * units, np.float32)
before = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts over from what is resident
start = time.perf_counter()
load(model, path)
seconds = time.perf_counter() - start
print(seconds, resident("VmHWM") - before)
