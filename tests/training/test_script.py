"""A whole fine-tuning script gives the losses of a run in NumPy whose frozen slots are held."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import STEPS, X, Y, compiled, fit, traced

from weightkit.training import freeze, unfreeze
from weightkit.training.optimizer.slot_values import values_of


class Net:
    """A linear net and Adam (Kingma and Ba 2015, algorithm 1), in float64; slots of frozen weights are held."""

    def __init__(self, weights, rate):
        self.weights = [np.asarray(w, "float64") for w in weights]
        self.slots = [(np.zeros_like(w), np.zeros_like(w)) for w in self.weights]
        self.rate, self.step = rate, 0

    def gradients(self, x, y):
        inputs, hidden = [], x
        for kernel, bias in zip(self.weights[::2], self.weights[1::2], strict=True):
            inputs.append(hidden)
            hidden = hidden @ kernel + bias
        error = hidden - y
        loss, back, found = (error**2).mean(), 2 * error / error.size, []
        for kernel, given in zip(self.weights[::2][::-1], inputs[::-1], strict=True):
            found += [back.sum(0), given.T @ back]
            back = back @ kernel.T
        return loss, found[::-1]

    def fit(self, frozen=()):
        losses = []
        for start in range(0, 12, 4):
            loss, gradients = self.gradients(X[start : start + 4].astype("float64"), Y[start : start + 4])
            losses.append(loss)
            self.step += 1
            for i, gradient in enumerate(gradients):
                if i not in frozen:
                    self.update(i, gradient)
        return np.mean(losses)

    def update(self, i, gradient):
        m, v = self.slots[i]
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        self.slots[i] = m, v
        step = np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        self.weights[i] = self.weights[i] - self.rate * step * m / (np.sqrt(v) + 1e-7)


@pytest.mark.every_backend
def test_fit_freeze_fit_unfreeze_half_fit_save_load_fit(tmp_path):
    model = traced("sequential")
    oracle = Net([values_of(v) for v in model.trainable_variables], 0.01)
    ours, theirs = fit(model), [oracle.fit()]
    freeze(model, ["part", "middle"])
    ours, theirs = ours + fit(model), [*theirs, oracle.fit(frozen=(0, 1, 2, 3))]
    unfreeze(model, "middle")
    ours, theirs = ours + fit(model), [*theirs, oracle.fit(frozen=(0, 1))]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    ours, theirs = ours + fit(loaded), [*theirs, oracle.fit(frozen=(0, 1))]
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert oracle.step == 4 * STEPS


def test_the_oracle_notices_slots_that_were_lost():
    model = compiled("sequential")
    oracle = Net([values_of(v) for v in model.trainable_variables], 0.01)
    fit(model)
    oracle.fit()
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    fit(model)
    oracle.fit()
    assert fit(model) != pytest.approx([oracle.fit()], rel=1e-3)
