"""The jobs of ``scripts/bench.py`` on models in memory, against Keras' own ways."""

from __future__ import annotations

import subprocess
import sys

from bench_tools import Jobs, report

LIVE = """
import os, statistics, sys, time
os.environ.setdefault("KERAS_BACKEND", "tensorflow"); os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
from weightkit import edit, Scale
count, units, runs = map(int, sys.argv[1:])
model = keras.Sequential([keras.Input((units,))] + [keras.layers.Dense(units) for _ in range(count)])
def theirs():
    model.set_weights([weight * np.float32(0.5) for weight in model.get_weights()])
def ours():
    edit(model, Scale(0.5))
times = {theirs: [], ours: []}
for _ in range(runs + 1):
    for job, seconds in times.items():
        start = time.perf_counter(); job(); seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
"""
LOAD = """
import os, statistics, sys, time
os.environ.setdefault("KERAS_BACKEND", "tensorflow"); os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
from weightkit import copy_from
path, count, runs = sys.argv[1], *map(int, sys.argv[2:])
model = keras.Sequential([keras.Input((8,))] + [keras.layers.Dense(8) for _ in range(count)])
model.save_weights(path)
def theirs():
    model.load_weights(path)
def ours():
    copy_from(model, path)
times = {theirs: [], ours: []}
for _ in range(runs + 1):
    for job, seconds in times.items():
        start = time.perf_counter(); job(); seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
"""


class LiveJobs(Jobs):
    """Models in memory, opening and undo included."""

    def live(self) -> None:
        """What an edit in memory costs, opening and undo included."""
        for what, count, units in (("134 million parameters", 8, 4096), ("500 layers of 8 units", 500, 8)):
            command = [sys.executable, "-c", LIVE, str(count), str(units), str(self.runs * 2 + 1)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            theirs, ours = map(float, done.stdout.split()[-2:])
            report(f"live: {what}", ours, theirs, "get_weights, set_weights", 1 / 2)
        path = self.folder / "model.weights.h5"
        command = [sys.executable, "-c", LOAD, str(path), "500", str(self.runs)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs, ours = map(float, done.stdout.split()[-2:])
        report("live: load_weights of 500 layers", ours, theirs, "Keras' load_weights", 1.0)
        path.unlink()
