"""Run by the tests in a process of its own: names, kinds and draws of weights that Keras saves in unusual ways.

    python names_check.py FOLDER

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from weightkit import Reinitialize, Scale, edit, open_weights, plan
from weightkit.errors import WeightkitError

FOLDER = Path(sys.argv[1])
FACTS: dict[str, Any] = {}
FORMATS = ("keras", "weights.h5", "h5")


def plain(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def saved(model: keras.Model, name: str, *formats: str) -> dict[str, Any]:
    """The model itself and its files, by format."""
    found: dict[str, Any] = {"live": model}
    for suffix in formats:
        path = found[suffix] = FOLDER / f"{name}.{suffix}"
        (model.save_weights if suffix == "weights.h5" else model.save)(path)
    return found


def chosen(target: Any, act: Any, **options: Any) -> Any:
    """What a plan changes, or the refusal."""
    try:
        return sorted(ref.path for ref in plan(target, act, **options).chosen)
    except WeightkitError as refusal:
        return str(refusal)


def holds(fact: str, found: Any, expected: Any = True) -> None:
    """Keep a fact: true, or what was found instead."""
    FACTS[fact] = True if found == expected else repr(found)


# Lookups ---------------------------------------------------------------------------------------------------------


def lookups() -> dict[str, tuple[Any, Any, str]]:
    """Lookups with document frequencies: the layer, what it adapts to, and its input's type."""
    text, numbers = ["a b c", "b c"], [[1], [2]]
    return {
        "TextVectorization": (layers.TextVectorization(output_mode="tf_idf", name="look"), text, "string"),
        "StringLookup": (layers.StringLookup(output_mode="tf_idf", name="look"), ["a", "b"], "string"),
        "IntegerLookup": (layers.IntegerLookup(output_mode="tf_idf", name="look"), numbers, "int64"),
    }


def after(lookup: Any, dtype: str) -> keras.Model:
    inputs = keras.Input((1,), dtype=dtype)
    return keras.Model(inputs, layers.Dense(2, name="d")(lookup(inputs)))


def try_lookups() -> None:
    trained = ["d/bias", "d/kernel"]
    for name, (lookup, data, dtype) in lookups().items():
        lookup.adapt(data)
        model = after(lookup, dtype)
        for form, target in saved(model, name, "keras", "weights.h5").items():
            with open_weights(target) as store:
                found = {ref.path: str(ref.kind) for ref in store}
            holds(f"lookup {name} {form}: has a name and a kind", found.get("look/idf_weights"), "statistic")
            holds(f"lookup {name} {form}: no kind is unknown", "unknown" in found.values(), False)
            holds(f"lookup {name} {form}: a default edit leaves it", chosen(target, Scale(0.5)), trained)
            if form != "weights.h5":
                holds(f"lookup {name} {form}: so does reinitialize", chosen(target, Reinitialize(seed=1)), trained)
        edit(FOLDER / f"{name}.keras", Scale(0.5))
        loaded = keras.saving.load_model(FOLDER / f"{name}.keras")
        kernel = plain(model.get_layer("d").kernel)
        holds(f"lookup {name}: the edited file loads", np.array_equal(plain(loaded.get_layer("d").kernel), kernel / 2))


def try_unadapted() -> None:
    """Keras cannot save such a model, and weightkit edits the rest of it."""
    options = {"output_mode": "tf_idf", "max_tokens": 5, "pad_to_max_tokens": True}
    for lookup in (layers.TextVectorization(**options), layers.StringLookup(**options)):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="d")])
        model.lookup = lookup
        holds(
            f"unadapted {type(lookup).__name__}: the rest is edited", chosen(model, Scale(0.5)), ["d/bias", "d/kernel"]
        )


class Failing(layers.Dense):
    def save_own_variables(self, store: Any) -> None:
        raise ZeroDivisionError("mine")


def try_failing() -> None:
    model = keras.Sequential([keras.Input((4,)), Failing(2, name="f")])
    refusal = str(chosen(model, Scale(0.5)))
    holds("failing: a layer that cannot be saved is named", "'f'" in refusal and "ZeroDivisionError: mine" in refusal)


class OwnKeys(layers.Layer):
    """Saves under names of its own."""

    def build(self, _: Any) -> None:
        self.gain = self.add_weight(shape=(3,), initializer="ones", name="gain")
        self.kernel = self.add_weight(shape=(3,), initializer="ones", name="kernel")

    def save_own_variables(self, store: Any) -> None:
        store["strength"], store["kernel"] = self.gain, self.kernel

    def load_own_variables(self, store: Any) -> None:
        self.gain.assign(store["strength"])
        self.kernel.assign(store["kernel"])

    def call(self, inputs: Any) -> Any:
        return inputs * self.gain * self.kernel


def try_own_keys() -> None:
    model = keras.Sequential([keras.Input((3,)), OwnKeys(name="own")])
    found = {}
    for form, target in saved(model, "own", "keras").items():
        with open_weights(target) as store:
            found[form] = {(ref.structure, ref.path) for ref in store}
        edit(target, Reinitialize("random_normal", seed=3), where="**")
    paths = {("layers/own_keys/vars/strength", "own/strength"), ("layers/own_keys/vars/kernel", "own/kernel")}
    holds("own keys: file and model have the layer's names", found, {"live": paths, "keras": paths})
    with open_weights(FOLDER / "own.keras") as store:
        read = {ref.path: store.read(ref).tobytes() for ref in store}
    holds(
        "own keys: file and model draw the same",
        read,
        {"own/strength": plain(model.layers[0].gain).tobytes(), "own/kernel": plain(model.layers[0].kernel).tobytes()},
    )


warnings.simplefilter("ignore")
try_lookups()
try_unadapted()
try_failing()
try_own_keys()
sys.stdout.write(json.dumps(FACTS) + "\n")
