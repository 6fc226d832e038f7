"""Run by the tests in a process of its own: save trained models with Keras, operate on the files, load them again.

    python surgery_check.py FOLDER GOLDEN...

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import h5py
import keras
import ml_dtypes
import numpy as np
from keras import layers
from keras.src.legacy.saving import legacy_h5_format

import weightkit as library

FOLDER = Path(sys.argv[1])
FACTS: dict[str, bool] = {}
TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float64": np.float64}
INPUTS = np.random.default_rng(0).standard_normal((64, 3)).astype("float32")
TARGETS = np.random.default_rng(1).standard_normal((64, 2)).astype("float32")
FILES = ("model.keras", "model.h5", "model.weights.h5", "weights_only.h5")
WHOLE = FILES[:2]
KEYS = {"head": "layers/dense_1", "inner/deep": "layers/sequential/layers/dense"}  # a .weights.h5 tells no names


def build(*, compiled: bool = False) -> keras.Model:
    """A nested model with statistics and a seed; trained where it is compiled."""
    keras.utils.clear_session()
    stack = [keras.Input((3,)), layers.Dense(3, name="deep"), layers.BatchNormalization(name="norm")]
    inner = keras.Sequential(stack, name="inner")
    start = keras.Input((3,))
    hidden = layers.Dropout(0.5, name="drop")(inner(layers.Dense(3, name="first")(start)))
    model = keras.Model(start, layers.Dense(2, name="head")(hidden), name="outer")
    if compiled:
        model.compile(optimizer="adam", loss=keras.losses.MeanSquaredError(), metrics=["mae"])
        model.fit(INPUTS, TARGETS, verbose=0)
    return model


def save(model: keras.Model) -> None:
    model.save(FOLDER / "model.keras")
    model.save(FOLDER / "model.h5")
    model.save_weights(FOLDER / "model.weights.h5")
    with h5py.File(FOLDER / "weights_only.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def weightkit(verb: str, path: Path, *given: object, output: Path, **options: object) -> dict:
    """The report of an edit, as the command line prints it."""
    edit = getattr(library, verb)
    return edit(path, *given, output=output, overwrite=True, **options).to_dict()


def load(path: Path, *, compiled: bool = False) -> keras.Model:
    """The model of a file, or a fresh one with the file's weights."""
    if path.name.endswith(WHOLE) and not compiled:
        return keras.saving.load_model(path)
    model = build(compiled=compiled)
    model.load_weights(path)
    return model


def values(model: keras.Model, like: keras.Model | None = None) -> dict[str, np.ndarray]:
    """Values by path; those of a loaded model by the paths of the one it was saved from, which it may not have kept."""
    arrays = [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in model.weights]
    return dict(zip([variable.path for variable in (like or model).weights], arrays, strict=True))


def same(model: keras.Model, other: keras.Model) -> bool:
    first, second = values(model), values(other, like=model)
    weights = all(first[path].tobytes() == second[path].tobytes() for path in first)
    return weights and np.array_equal(*(np.asarray(keras.ops.convert_to_numpy(one(INPUTS))) for one in (model, other)))


def failure(action: object) -> str:
    """What Keras says when it fails; empty where it does not."""
    try:
        action()
    except ValueError as error:
        return str(error)
    return ""


def try_strip(model: keras.Model) -> None:
    for name in FILES:
        out = FOLDER / f"stripped.{name}"
        if name == "weights_only.h5":
            continue
        report = weightkit("strip", FOLDER / name, output=out)
        FACTS[f"strip {name}: takes out the optimizer's variables"] = len(report["dropped"]) == 18
        loaded = load(out)
        FACTS[f"strip {name}: loads with the same weights and predictions"] = same(model, loaded)
        if name in WHOLE:
            FACTS[f"strip {name}: is not compiled"] = not loaded.compiled
        again = load(out, compiled=True)
        FACTS[f"strip {name}: its weights load into a compiled model, which trains on"] = same(model, again)
        again.run_eagerly = True  # nothing here is about compiling
        again.fit(INPUTS, TARGETS, verbose=0)


def try_scaled_loss() -> None:
    """Under mixed precision the optimizer is wrapped in another one, which has state of its own."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = build(compiled=True)
    for name in WHOLE:
        path, out = FOLDER / f"mixed.{name}", FOLDER / f"mixed.stripped.{name}"
        model.save(path)
        weightkit("strip", path, output=out)
        FACTS[f"strip mixed {name}: loads with the same weights and predictions"] = same(model, load(out))
    keras.mixed_precision.set_global_policy("float32")


def try_drop(model: keras.Model) -> None:
    places = {"head": ("head/",), "inner/deep": ("inner/deep/", "inner/")}
    for name in FILES:
        legacy = not name.endswith((".keras", ".weights.h5"))
        for layer, (exactly, *whole) in places.items():
            out = FOLDER / f"dropped.{name}"
            chosen = KEYS[layer] if name == "model.weights.h5" else layer
            report = weightkit("drop", FOLDER / name, where=chosen, output=out)
            FACTS[f"drop {layer} of {name}: two weights"] = len(report["dropped"]) == 2
            said = failure(lambda out=out: load(out))
            wanted = "count mismatch" if legacy else "could not be loaded"
            loader = "load_model" if name in WHOLE else "load_weights(file)"
            FACTS[f"drop {layer} of {name}: fails to load as the plan says"] = (
                wanted in said and f"Keras' {loader} will fail" in report["notes"][0]
            )
            fresh = build()
            options = {"by_name": True, "skip_mismatch": True} if legacy else {"skip_mismatch": True}
            FACTS[f"drop {layer} of {name}: the advice names the options"] = all(
                f"{option}=True" in report["notes"][0] for option in options
            )
            fresh.load_weights(out, **options)
            lost = (whole or [exactly])[0] if legacy else exactly
            loaded, trained = values(fresh, like=model), values(model)
            FACTS[f"drop {layer} of {name}: the advice loads all other weights"] = all(
                path.startswith(lost) or np.array_equal(loaded[path], trained[path]) for path in trained
            )
    for name in WHOLE:
        out = FOLDER / f"dropped.{name}"
        report = weightkit("drop", FOLDER / name, where="kind:optimizer", output=out)
        loaded = load(out)
        FACTS[f"drop kind:optimizer of {name}: loads compiled, with a new optimizer"] = (
            same(model, loaded) and int(loaded.optimizer.iterations) == 0 and "new optimizer" in report["notes"][0]
        )


def is_cast(model: keras.Model, loaded: keras.Model, dtype: type) -> bool:
    """Whether parameters are rounded to the type and back into the model's own, and statistics are as they were."""
    after = values(loaded, like=model)
    right = []
    for path, value in values(model).items():
        expected = value if "moving" in path or value.dtype != np.float32 else value.astype(dtype).astype("float32")
        right.append(after[path].tobytes() == expected.tobytes())
    return all(right)


def try_cast(model: keras.Model) -> None:
    for name in FILES:
        legacy = not name.endswith((".keras", ".weights.h5"))
        for to, dtype in TYPES.items():
            out = FOLDER / f"cast.{name}"
            report = weightkit("cast", FOLDER / name, to, output=out)
            if legacy and to == "bfloat16":
                FACTS[f"cast {name} to {to}: does not load, as the plan says"] = (
                    failure(lambda out=out: load(out)) != "" and "Keras cannot load bfloat16" in report["notes"][0]
                )
                continue
            right = is_cast(model, load(out), dtype)
            FACTS[f"cast {name} to {to}: loads, rounded"] = right and report["notes"] == []


def try_golden(path: Path) -> None:
    """What Keras loads, it loads after a cast there and back, with exactly the values as they were."""
    wide, back = FOLDER / f"wide.{path.name}", FOLDER / f"back.{path.name}"
    weightkit("cast", path, "float64", output=wide)
    weightkit("cast", wide, "float32", output=back)
    models = [keras.saving.load_model(file, compile=False) for file in (path, wide, back)]
    first, *others = (values(model, like=models[0]) for model in models)
    FACTS[f"{path.name}: loads cast there and back"] = all(
        first[name].tobytes() == other[name].tobytes() for other in others for name in first
    )


warnings.simplefilter("ignore")
trained_model = build(compiled=True)
save(trained_model)
try_strip(trained_model)
try_drop(trained_model)
try_cast(trained_model)
try_scaled_loss()
for golden in sys.argv[2:]:
    try_golden(Path(golden))
sys.stdout.write(json.dumps(FACTS) + "\n")
