"""Training that goes on in a new process is training that never stopped; single frozen weights are no hindrance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from training_cases import compiled, counter, fit, slots

from weightkit import load_weights
from weightkit.errors import RequestError
from weightkit.training import FreezePlan, freeze, load_optimizer_state, save_optimizer_state, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of

SCRIPT = """
import json, sys, keras, numpy as np
from weightkit import load_weights
from weightkit.training import FreezePlan, freeze, load_optimizer_state, save_optimizer_state
from weightkit.training.optimizer.slot_values import values_of

def made():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4, name="part"), keras.layers.Dropout(0.3, seed=5), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="small")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model

def fit(model):
    x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
    return model.fit(x, x[:, :1], batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]

folder, verb = sys.argv[1:]
model = made()
if verb == "go on":
    load_weights(model, f"{folder}/m.weights.h5")
    FreezePlan.load(f"{folder}/plan.json").apply(model)
    load_optimizer_state(model, f"{folder}/opt.h5")
else:
    fit(model)
    plan = freeze(model, "part/bias")
    fit(model)
    model.save_weights(f"{folder}/m.weights.h5")
    plan.save(f"{folder}/plan.json")
    save_optimizer_state(model, f"{folder}/opt.h5")
losses = fit(model)
values = [values_of(v).tobytes().hex() for v in (*model.variables, *model.optimizer.variables)]
print(json.dumps([losses, values]))
"""


@pytest.mark.every_backend
def test_a_new_process_goes_on_as_if_training_had_never_stopped(tmp_path, monkeypatch, capsys):
    """Six seconds: a process of its own starts Keras and its backend."""
    environment = os.environ | {"KERAS_BACKEND": keras.config.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}

    monkeypatch.setattr(sys, "argv", ["", str(tmp_path), "never stop"])
    exec(SCRIPT, {})  # noqa: S102
    never_stopped = json.loads(capsys.readouterr().out.splitlines()[-1])
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "go on"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    losses, values = json.loads(done.stdout.splitlines()[-1])
    assert [losses, values] == never_stopped
    assert all(np.isfinite(losses))


def test_keras_itself_loses_the_optimizer_of_single_frozen_weights_and_ours_brings_it_back(tmp_path):
    model = compiled()
    fit(model)
    plan = freeze(model, "name:bias", exclude="head")
    fit(model)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lost = keras.saving.load_model(tmp_path / "model.keras")
    assert any("Skipping variable loading" in str(one.message) for one in told)
    assert len(lost.trainable_variables) == 6
    assert counter(lost.optimizer) == 0

    plan.save(tmp_path / "plan.json")
    model.save_weights(tmp_path / "model.weights.h5")
    save_optimizer_state(model, tmp_path / "opt.h5")
    ours = compiled()
    load_weights(ours, tmp_path / "model.weights.h5")
    FreezePlan.load(tmp_path / "plan.json").apply(ours)
    assert load_optimizer_state(ours, tmp_path / "opt.h5").parked == 2
    same_in_all(ours, model)
    FreezePlan.load(tmp_path / "plan.json").apply(lost)  # the model that Keras loaded is repaired too
    load_optimizer_state(lost, tmp_path / "opt.h5")
    same_in_all(lost, model)
    assert fit(ours) == fit(lost) == fit(model)
    for one in (ours, lost):
        same_in_all(one, model)


def same_in_all(one, other):
    """Weights, flags, slots, those that wait, and the count of steps."""

    def seen(model):
        waiting = [[v.tobytes() for v in kept.slots.values()] for kept in parked_slots_of(model).values()]
        values = [(v.trainable, values_of(v).tobytes()) for v in model.variables]
        return values, [*slots(model.optimizer).values()], sorted(waiting), counter(model.optimizer)

    assert seen(one) == seen(other)


@pytest.mark.every_backend
def test_weights_that_count_their_own_steps_go_on_from_the_model_s_file_and_the_state(tmp_path):
    model = compiled()
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part")
    fit(model)
    model.save(tmp_path / "model.keras")
    save_optimizer_state(model, tmp_path / "opt.h5")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    load_optimizer_state(loaded, tmp_path / "opt.h5")
    assert fit(loaded, 2) == fit(model, 2)
    made = compiled()
    with pytest.raises(RequestError, match="a GroupedOptimizer in the file and a Adam here"):
        load_optimizer_state(made, tmp_path / "opt.h5")
