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

import weightkit.layers as wl
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


# Draws -----------------------------------------------------------------------------------------------------------


def distribution(values: np.ndarray) -> list[float]:
    """What says how weights were drawn: their mean, deviation and reach; loose enough for a thousand draws."""
    return [float(values.mean()), float(values.std()), float(np.abs(values).max())]


def alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    if np.unique(theirs).size <= 2:
        return np.array_equal(ours, theirs)
    scale = float(np.abs(theirs).max())
    return np.allclose(distribution(ours), distribution(theirs), rtol=0.2, atol=0.15 * scale)


def try_draws(name: str, model: keras.Model, *left: str, formats: tuple[str, ...] = ("keras", "h5")) -> None:
    """A model's weights are as its layers began, and the same in its files; ``left`` cannot be drawn."""
    begun = [plain(variable) for variable in model.variables]
    for variable in model.variables:
        if "float" in variable.dtype and not variable.path.endswith("seed_generator_state"):
            variable.assign(np.full(variable.shape, 9, "float32"))
    targets = saved(model, name, *formats)
    for form, target in targets.items():
        if left:
            refusal = chosen(target, Reinitialize(seed=5))
            holds(f"draws {name} {form}: what is computed is refused", "load the model" in str(refusal), True)
        edit(target, Reinitialize(seed=5), exclude=[f"name:{one}" for one in left] or None)
    live = [plain(variable) for variable in model.variables]
    for number, (variable, one, other) in enumerate(zip(model.variables, live, begun, strict=True)):
        if "float" in variable.dtype and not variable.name.endswith(("_mask", "factor", "vector_u", *left)):
            holds(f"draws {name} {number} {variable.path}: as its layer began", alike(one, other))
    for form in formats:
        loaded = keras.saving.load_model(targets[form], compile=False)
        pairs = zip(loaded.variables, live, strict=True)
        differing = [one.path for one, now in pairs if "float" in one.dtype and plain(one).tobytes() != now.tobytes()]
        holds(f"draws {name} {form}: the same as in the model", differing, [])


def own_layers() -> keras.Model:
    """One of each of weightkit's plain layers, wide enough to see how each weight is drawn."""
    inputs, grid, ids = keras.Input((60,)), keras.Input((4, 30)), keras.Input((3,), dtype="int32")
    ends = [
        wl.CosineDense(50, kernel_initializer="he_normal", name="cosine")(inputs),
        wl.Maxout(20, 3, kernel_initializer="lecun_normal", bias_initializer="ones", name="maxout")(inputs),
        wl.NoisyDense(40, name="noisy")(inputs),
        wl.NoisyDense(40, noise="independent", kernel_initializer="ones", name="independent")(inputs),
        wl.LayerScale(name="scale")(inputs),
        wl.GlobalResponseNorm(gamma_initializer="random_normal", name="response")(grid),
        wl.FiLM(name="film")([grid, inputs]),
        wl.HyperDense(10, 8, output_kernel_initializer="he_uniform", name="hyper")([inputs, inputs]),
        wl.CheckedEmbedding(40, 20, name="table")(ids),
        wl.GradientReversal(name="reversal")(inputs),
    ]
    return keras.Model([inputs, grid, ids], ends)


def parametrized_layers() -> keras.Model:
    inputs = keras.Input((60,))
    adapted = wl.Parametrized(layers.Dense(50, name="low"), kernel=wl.LowRank(4))(inputs)
    standard = wl.Parametrized(layers.Dense(50, name="standard"), kernel=wl.StandardizedWeight())(inputs)
    normed = wl.Parametrized(layers.Dense(50, name="normed"), kernel=wl.WeightNorm())(inputs)
    return keras.Model(inputs, [adapted, standard, normed])


@keras.saving.register_keras_serializable("mine")
class Attend(layers.Layer):
    """A custom layer whose configuration names its initializers, as Keras' own layers do."""

    def __init__(self, kernel_initializer: Any = "he_normal", w2_initializer: Any = "ones", **options: Any) -> None:
        super().__init__(**options)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.w2_initializer = keras.initializers.get(w2_initializer)

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 50), initializer=self.kernel_initializer, name="kernel")
        self.w2 = self.add_weight(shape=(50,), initializer=self.w2_initializer, name="w2")

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(inputs, self.kernel) * self.w2

    def get_config(self) -> dict[str, Any]:
        serialize = keras.initializers.serialize
        own = {
            "kernel_initializer": serialize(self.kernel_initializer),
            "w2_initializer": serialize(self.w2_initializer),
        }
        return {**super().get_config(), **own}


def try_custom() -> None:
    """In memory and in ``.h5``, which name its weights; in ``.keras`` they have no names."""
    model = keras.Sequential([keras.Input((60,)), Attend(name="attend", w2_initializer="random_normal")])
    begun = {variable.name: plain(variable) for variable in model.variables}
    path = FOLDER / "attend.h5"
    model.save(path)
    for target in (model, path):
        edit(target, Reinitialize(seed=5), where="**")
    now = {variable.name: plain(variable) for variable in model.variables}
    for name, values in now.items():
        holds(
            f"custom {name}: as its configuration says",
            alike(values, begun[name]) and not (values == begun[name]).all(),
        )
    loaded = keras.saving.load_model(path, compile=False)
    same = {variable.name: plain(variable).tobytes() == now[variable.name].tobytes() for variable in loaded.variables}
    holds("custom: file and model draw the same", all(same.values()))


def try_like() -> None:
    """A legacy file of weights alone says no kinds of a custom layer's weights; a model says them by their names."""

    def made() -> keras.Model:
        return keras.Sequential([keras.Input((60,)), Attend(name="attend"), layers.Dense(2)])

    model, path = made(), FOLDER / "like.h5"
    model.save(path)
    refusal = str(chosen(path, Scale(0.5)))
    holds("like: alone the file does not say what they are", "attend/w2" in refusal)
    names = [ref.path for ref in plan(path, Scale(0.5), like=made()).chosen]
    holds("like: with a model it does", names[:2], ["attend/kernel", "attend/w2"])
    edit(path, Scale(0.5), like=made())
    loaded = keras.saving.load_model(path, compile=False)
    halved = [np.array_equal(plain(a), plain(b) / 2) for a, b in zip(loaded.variables, model.variables, strict=True)]
    holds("like: the edited file loads", all(halved))


class QuantizedInTraining(layers.Layer):
    """Like QKeras and HGQ: a real kernel, with helper variables that are not trained."""

    def build(self, shape: Any) -> None:
        fixed = {"shape": (2,), "initializer": "ones", "trainable": False}
        self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")
        self.kernel_scale = self.add_weight(name="kernel_scale", **fixed)
        self.signed = self.add_weight(name="signed", dtype="uint8", **fixed)

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(inputs, self.kernel) * self.kernel_scale


def try_helpers() -> None:
    model = keras.Sequential([keras.Input((4,)), QuantizedInTraining(name="q")])
    with open_weights(model) as store:
        found = {ref.name: str(ref.kind) for ref in store}
    helpers = {"kernel": "parameter", "kernel_scale": "state", "signed": "state"}
    holds("helpers: they are state", found, helpers)
    holds("helpers: a default edit leaves them", chosen(model, Scale(0.5)), ["q/kernel"])
    real = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="q")])
    real.quantize("int8")
    holds("helpers: what Keras quantized is refused", "quantized" in str(chosen(real, Scale(0.5))), True)


def spectral() -> keras.Model:
    inputs, image = keras.Input((60,)), keras.Input((8, 8, 5))
    dense = layers.SpectralNormalization(layers.Dense(50, name="d", kernel_initializer="he_normal"), name="sn")
    convolution = layers.SpectralNormalization(layers.Conv2D(30, 3, name="c"), name="sc")
    return keras.Model([inputs, image], [dense(inputs), convolution(image)])


def nested() -> keras.Model:
    """One name at two depths: the Sequential's ``d``, and the ``d`` of the model in it."""

    def functional(name: str, layer: Any) -> keras.Model:
        inputs = keras.Input((40,))
        return keras.Model(inputs, layer(inputs), name=name)

    inner = functional("inner", layers.Dense(40, name="d", kernel_initializer="he_normal"))
    first = layers.Dense(40, name="d", kernel_initializer="random_normal")
    return functional("outer", keras.Sequential([keras.Input((40,)), first, inner], name="mid"))


def try_spectral_given() -> None:
    model = spectral()
    path = FOLDER / "spectral_given.keras"
    model.save(path)
    for target in (model, path):
        edit(target, Reinitialize("random_normal", seed=2))
    loaded = keras.saving.load_model(path)
    same = [plain(a).tobytes() == plain(b).tobytes() for a, b in zip(loaded.variables, model.variables, strict=True)]
    holds("spectral: a given initializer draws both copies alike", all(same))
    with open_weights(path) as store:
        holds("spectral: in the file too", np.array_equal(store.read("sn/kernel"), store.read("sn/d/kernel")))


warnings.simplefilter("ignore")
try_lookups()
try_unadapted()
try_failing()
try_own_keys()
keras.utils.set_random_seed(4)
try_draws("own layers", own_layers())
try_draws("parametrized", parametrized_layers(), "kernel_g")
try_draws("spectral", spectral())
try_draws("nested", nested())
try_spectral_given()
try_custom()
try_like()
try_helpers()
sys.stdout.write(json.dumps(FACTS) + "\n")
