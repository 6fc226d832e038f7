"""The job of ``scripts/bench`` on freezing, against Keras' own ``compile``."""

from __future__ import annotations

import subprocess
import sys

from tools import Jobs, report

FREEZE = """
import os, statistics, sys, time
os.environ.setdefault("KERAS_BACKEND", "tensorflow"); os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
from weightkit.training import freeze, unfreeze
count, runs = map(int, sys.argv[1:])
model = keras.Sequential([keras.Input((8,))] + [keras.layers.Dense(8) for _ in range(count)])
first = [f"{layer.name}" for layer in model.layers[:1]]
def fresh():
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
def theirs():
    old = model.optimizer
    fresh()
    for source, target in zip(old.variables, model.optimizer.variables):
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
        start = time.perf_counter(); job(); seconds.append(time.perf_counter() - start)
print(*(statistics.median(seconds[1:]) for seconds in times.values()))
"""


class TrainingJobs(Jobs):
    """Freezing a model that is compiled."""

    def freeze(self) -> None:
        """What a freeze of one layer of 500 costs, beside a compile and build of Keras' and a pass over the slots."""
        command = [sys.executable, "-c", FREEZE, "500", str(self.runs)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs, ours = map(float, done.stdout.split()[-2:])
        report("freeze: 1 of 500 layers", ours, theirs, "Keras' compile and build, and a pass over the slots", 1.5)
