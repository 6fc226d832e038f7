"""Run by the tests in a process of its own, on one backend: save models with Keras, edit them, load them again.

    python backend_check.py FOLDER GOLDEN...

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path(sys.argv[1])
FACTS: dict[str, bool] = {}
KINDS = {"moving_mean": "statistic", "moving_variance": "statistic", "seed_generator_state": "state"}


def build() -> keras.Model:
    """A nested model with statistics and a seed."""
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="deep"), layers.BatchNormalization(name="norm")])
    inner.name = "inner"
    start = keras.Input((3,))
    hidden = layers.Dropout(0.5, name="drop")(inner(layers.Dense(3, name="first")(start)))
    model = keras.Model(start, layers.Dense(2, name="head")(hidden), name="outer")
    draw = np.random.default_rng(0)
    for variable in model.weights:
        if variable.dtype == "float32":
            variable.assign(draw.uniform(0.1, 1, variable.shape).astype("float32"))
    return model


def weightkit(*arguments: object) -> dict:
    command = [sys.executable, "-m", "weightkit", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def values(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in model.weights]


def scaled_right(model: keras.Model, loaded: keras.Model) -> bool:
    """Whether each weight of ``loaded`` is half that of ``model``, statistics and seeds the same."""
    right = []
    for variable, before, after in zip(model.weights, values(model), values(loaded), strict=True):
        kept = variable.name in KINDS or before.dtype != np.float32
        right.append(after.tobytes() == (before if kept else before * np.float32(0.5)).tobytes())
    return all(right) and not all(np.array_equal(*pair) for pair in zip(values(model), values(loaded), strict=True))


def try_own_models() -> None:
    model = build()
    for name in ("model.keras", "model.weights.h5", "model.h5"):
        path, out = FOLDER / name, FOLDER / f"scaled.{name}"
        model.save_weights(path) if name.endswith(".weights.h5") else model.save(path)
        names_are_known = not name.endswith(".weights.h5")
        shown = weightkit("show", path)["weights"]
        if names_are_known:
            found = {weight["path"]: weight["kind"] for weight in shown if weight["kind"] != "state"}
            FACTS[f"{name}: names and kinds"] = found == {
                **{
                    f"{layer}/{own}": "parameter"
                    for layer in ("first", "inner/deep", "head")
                    for own in ("kernel", "bias")
                },
                **{f"inner/norm/{own}": KINDS.get(own, "parameter") for own in ("gamma", "beta", *list(KINDS)[:2])},
            }
        weightkit("scale", path, "--factor", "0.5", "-o", out)
        if name.endswith(".weights.h5"):
            loaded = build()
            loaded.load_weights(out)
        else:
            loaded = keras.saving.load_model(out, compile=False)
        FACTS[f"{name}: scaled as NumPy scales the model"] = scaled_right(model, loaded)


def try_quantized_model() -> None:
    """A model of which one layer is quantized: refused by default, settled by --exclude."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="kept"), layers.LayerNormalization(name="norm")])
    model.layers[0].quantize("int8")
    path = FOLDER / "int8.keras"
    model.save(path)
    command = [sys.executable, "-m", "weightkit", "scale", str(path), "--factor", "0.5"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    FACTS["int8.keras: refused by default"] = refused.returncode == 2 and "--exclude 'kept'" in refused.stderr
    report = weightkit("scale", path, "--factor", "0.5", "--exclude", "kept")
    FACTS["int8.keras: settled by --exclude"] = {weight["path"] for weight in report["changed"]} == {
        "norm/gamma",
        "norm/beta",
    }


def load(path: Path) -> keras.Model:
    if not path.name.endswith(".weights.h5"):
        return keras.saving.load_model(path, compile=False)
    dtype = "bfloat16" if "bfloat16" in path.name else "float16"
    stack = [keras.Input((4,)), layers.Dense(4, dtype=dtype), layers.Dense(2, dtype=dtype)]
    model = keras.Sequential(stack)
    model.load_weights(path)
    return model


def half(array: np.ndarray) -> np.ndarray:
    return (array.astype(np.float32) * np.float32(0.5)).astype(array.dtype)


def try_golden(path: Path) -> None:
    """What Keras loads, it loads after an edit, with exactly the edited values."""
    out = FOLDER / f"golden.{path.name}"
    report = weightkit("scale", path, "--factor", "0.5", "-o", out)
    pairs = list(zip(values(load(path)), values(load(out)), strict=True))
    changed = [before for before, after in pairs if before.tobytes() != after.tobytes()]
    right = all(after.tobytes() in {before.tobytes(), half(before).tobytes()} for before, after in pairs)
    FACTS[f"{path.name}: loads, scaled"] = right and len(changed) == len(report["changed"])


FACTS["backend is the one asked for"] = keras.config.backend() == os.environ["KERAS_BACKEND"]
try_own_models()
try_quantized_model()
for golden in sys.argv[2:]:
    try_golden(Path(golden))
sys.stdout.write(json.dumps(FACTS) + "\n")
