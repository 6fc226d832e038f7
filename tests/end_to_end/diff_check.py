"""Run by the tests in a process of its own, on one backend: save what Keras made and trained, and compare the files.

    python diff_check.py FOLDER

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import itertools
import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers

from weightkit import diff

FOLDER = Path(sys.argv[1])
FACTS: dict[str, bool] = {}
DRAW = np.random.default_rng(0)
INPUTS, TARGETS = DRAW.standard_normal((64, 6, 4)).astype("f4"), DRAW.standard_normal((64, 2)).astype("f4")


def build(head: str = "head", frozen: str = "") -> keras.Model:
    """Layers with given and automatic names, a nested model, statistics, a seed."""
    start = keras.Input((6, 4))
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.LayerNormalization(), layers.Dense(8)])
    hidden = layers.Dropout(0.1)(layers.LSTM(8)(layers.Dense(4)(layers.MultiHeadAttention(2, 2)(start, start))))
    hidden = layers.BatchNormalization()(inner(layers.Dense(8)(hidden)))
    model = keras.Model(start, layers.Dense(2, name=head)(hidden))
    if frozen:
        inner.layers[0].trainable = False
    model.compile("adam", "mse")
    return model


def saved(model: keras.Model, name: str) -> Path:
    """The model, or its weights, by the suffix."""
    path = FOLDER / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 3 calls its own legacy format legacy
        (model.save_weights if name.endswith(".weights.h5") else model.save)(path)
    return path


def formats(model: keras.Model, stem: str) -> list[Path]:
    """The same weights in the three formats."""
    return [saved(model, f"{stem}{suffix}") for suffix in (".keras", ".weights.h5", ".h5")]


def main() -> None:
    """Find the facts."""
    model = build()
    model.fit(INPUTS, TARGETS, epochs=1, verbose=0)
    first = formats(model, "epoch1")
    for a, b in itertools.permutations(first, 2):
        found = diff(a, b)
        FACTS[f"format: {a.name} equals {b.name}: {found}"] = found.equal and len(found.weights) >= 20

    frozen = build(frozen="yes")
    for a, b in itertools.permutations(formats(frozen, "frozen"), 2):
        found = diff(a, b)
        FACTS[f"format: {a.name} equals {b.name}: {found}"] = found.equal

    again = build()
    again.set_weights(model.get_weights())
    for a, b in itertools.product(first, formats(again, "again")):
        found = diff(a, b)
        FACTS[f"built twice: {a.name} equals {b.name}: {found}"] = not found.changed()

    before = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
    model.fit(INPUTS, TARGETS, epochs=1, verbose=0)
    moved = {}
    for variable in model.weights:
        was, now = before[variable.path].astype("f8"), keras.ops.convert_to_numpy(variable).astype("f8")
        moved[variable.path] = np.linalg.norm(now - was) / np.linalg.norm(was) if was.any() else np.inf
    found = diff(first[0], saved(model, "epoch2.keras"))
    ranks = [weight.measures.relative_l2 for weight in found.changed() if weight.measures]
    FACTS[f"epochs: what moved is ranked as NumPy ranks it: {found}"] = bool(
        np.allclose(ranks, sorted((rate for rate in moved.values() if rate), reverse=True), rtol=1e-6)
    )
    FACTS["epochs: the optimizer moved too"] = any(weight.differs for weight in found.optimizer)

    renamed = build("logits")
    renamed.set_weights(again.get_weights())
    for a, b in zip(formats(again, "named"), formats(renamed, "renamed"), strict=True):
        told = {(weight.path, str(weight.status)) for weight in diff(a, b, exclude="kind:optimizer").changed()}
        FACTS[f"rename: {a.name} and {b.name}: {told}"] = told == {("head/kernel", "renamed"), ("head/bias", "renamed")}


main()
sys.stdout.write(
    json.dumps({"backend is": keras.backend.backend(), **{fact: bool(holds) for fact, holds in FACTS.items()}}) + "\n"
)
