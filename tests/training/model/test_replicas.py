"""On two devices: slots are replicated and stay in step, files give them back, and a proof puts back every replica."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import keras
import pytest
from training_cases import compiled

from weightkit.training.model.replicas import replicas_of

BACKEND = keras.config.backend()
BEGIN = {
    "tensorflow": """
import tensorflow as tf
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope
places = lambda v: [one.numpy() for one in v.value.values]
""",
    "jax": """
import contextlib
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]))
scope = contextlib.nullcontext
places = lambda v: [np.asarray(one.data) for one in v.value.addressable_shards]
""",
}
CHECK = """
x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
y, folder = x[:, :1], sys.argv[1]
fit = lambda model: model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history["loss"]

def made():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(3, name="part"), keras.layers.BatchNormalization(), keras.layers.Dense(1, name="head")]
    with scope():
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model

def bits(variables):
    return [[one.tobytes() for one in places(v)] for v in variables]

everything = lambda model: (*model.variables, *model.metrics_variables, *model.optimizer.variables)
trained = lambda model: (*model.trainable_variables, *model.optimizer.variables)
model, facts = made(), {}
fit(model)
before = bits(everything(model))
facts["a proof is as meant"] = verify_training(model, data=(x, y)).ok
facts["a proof puts every replica back"] = bits(everything(model)) == before
freeze(model, "part")
fit(model)
model.save_weights(f"{folder}/m.weights.h5")
save_optimizer_state(model, f"{folder}/opt.h5")
other = made()
load_weights(other, f"{folder}/m.weights.h5")
freeze(other, "part")
facts["slots wait"] = load_optimizer_state(other, f"{folder}/opt.h5").parked == 2
for one in (model, other):
    unfreeze(one, "part")
facts["what goes on is what was"] = bits(trained(model)) == bits(trained(other))
facts["and has the same losses"] = fit(model) == fit(other)
facts["and the same weights and slots"] = bits(trained(model)) == bits(trained(other))
slots = model.optimizer.variables[2:]
facts["slots are replicated"] = all(len(places(v)) == 2 for v in slots)
facts["replicas are in step"] = all(np.array_equal(*places(v)) for v in trained(model))
facts["the count went on"] = int(np.asarray(places(model.optimizer.variables[0])[0])) == 6
print(json.dumps(facts))
"""
IMPORTS = """
import json, sys, keras, numpy as np
from weightkit import load_weights
from weightkit.training import freeze, load_optimizer_state, save_optimizer_state, unfreeze, verify_training
"""


def test_a_variable_in_one_place_has_no_replicas():
    assert not any(replicas_of(v) for v in compiled().variables)


if BACKEND in BEGIN:  # Keras 3.15 has no replicas on PyTorch

    @pytest.mark.every_backend
    def test_on_two_devices_nothing_is_lost(tmp_path):
        """Ten seconds: a process of its own starts Keras, and TensorFlow traces each step for both devices."""
        given = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        environment = os.environ | {"KERAS_BACKEND": BACKEND} | given
        script = IMPORTS + BEGIN[BACKEND] + CHECK
        command = [sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        facts = json.loads(done.stdout.splitlines()[-1])
        assert len(facts) == 9
        assert [fact for fact, holds in facts.items() if not holds] == []
