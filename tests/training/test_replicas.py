"""Under a strategy of TensorFlow with two replicas, slots are replicated and stay in step."""

from __future__ import annotations

import json
import os
import subprocess
import sys

CHECK = """
import json, keras, numpy as np, tensorflow as tf
from weightkit.training import freeze, unfreeze
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="part"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
fit = lambda: model.fit(x, x[:, :1], batch_size=4, verbose=0)
fit(); freeze(model, "part"); fit(); unfreeze(model, "part"); fit()
slots = [v.value for v in model.optimizer.variables[2:]]
print(json.dumps({
    "slots are replicated": all(len(v.values) == 2 for v in slots),
    "replicas are in step": all(np.array_equal(*[one.numpy() for one in v.values]) for v in slots),
    "the count went on": int(model.optimizer.iterations.numpy()) == 6,
}))
"""


def test_replicas_stay_in_step():
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", CHECK], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout.splitlines()[-1])
    assert [fact for fact, holds in facts.items() if not holds] == []
