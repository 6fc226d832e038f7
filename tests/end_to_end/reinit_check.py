"""Run by the tests in a process of its own: hold initializers, beginnings and edited files against Keras' own.

    python reinit_check.py FOLDER

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
from keras import layers
from keras.src.initializers.random_initializers import compute_fans as keras_fans

from weightkit import Reinitialize, open_weights
from weightkit.access.configured import Configured
from weightkit.access.edits.choose import plan_edit
from weightkit.access.ref import Kind, WeightRef
from weightkit.access.store import WeightStore
from weightkit.transforms.initializers import Draws, get
from weightkit.transforms.initializers.configured_initializer import own_initializer
from weightkit.transforms.initializers.fans import compute_fans

FOLDER = Path(sys.argv[1])
FACTS: dict[str, bool] = {}
SHAPES = ((), (7,), (5, 3), (3, 5, 7), (3, 3, 5, 7), (2, 3, 4, 5, 6), (2, 2, 2, 2, 3, 4), (3, 3, 8, 1))
RANDOM = (
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
)
MODES = [(mode, kind) for mode in ("fan_in", "fan_out", "fan_avg") for kind in ("uniform", "truncated_normal")]


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov and Smirnov's distance of two samples, in units in which 1.95 is passed once in a thousand times."""
    first, second = np.sort(first, axis=None), np.sort(second, axis=None)
    points = np.concatenate([first, second])
    ranks = [np.searchsorted(sample, points, side="right") / sample.size for sample in (first, second)]
    size = first.size * second.size / (first.size + second.size)
    return float(np.max(np.abs(ranks[0] - ranks[1])) * math.sqrt(size))


def alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two draws may be of one distribution; constants must be the same."""
    ours, theirs = np.asarray(ours, "f4"), np.asarray(theirs, "f4")
    if ours.shape != theirs.shape:
        return False
    if np.unique(theirs).size <= 2:
        return bool(np.array_equal(ours, theirs))
    count, spread = theirs.size, float(theirs.std())
    mean = abs(float(ours.mean()) - float(theirs.mean())) < 5 * spread * math.sqrt(2 / count)
    deviation = abs(float(ours.std()) / spread - 1) < 5 / math.sqrt(count)
    reach = float(np.abs(ours).max()) < 1.5 * float(np.abs(theirs).max())
    return mean and deviation and reach and distance(ours, theirs) < 1.95


def ours_of(said: object, shape: tuple[int, ...]) -> np.ndarray:
    values = get(said)(shape, Draws(1, "w"), 0, math.prod(shape))
    return values.astype("f4").reshape(shape)


def plain(tensor: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def try_initializers() -> None:
    for shape in SHAPES:
        FACTS[f"fans of {shape}: are Keras'"] = compute_fans(shape) == keras_fans(shape)
    FACTS["fans along axes: are Keras'"] = compute_fans((4, 5, 6), (0,), (1, 2)) == keras_fans((4, 5, 6), [0], [1, 2])
    for shape in ((100, 200), (3, 3, 40, 60), (20000,)):
        for name in RANDOM:
            theirs = keras.initializers.get({"class_name": name, "config": {"seed": 5}})
            FACTS[f"draws {name} {shape}: are distributed as Keras'"] = alike(
                ours_of(name, shape), plain(theirs(shape))
            )
            FACTS[f"draws {name} {shape}: are so from Keras' object"] = get(theirs) == get(name)
        for mode, kind in MODES:
            theirs = keras.initializers.VarianceScaling(1.7, mode, kind, seed=5)
            FACTS[f"draws scaled {mode} {kind} {shape}: are distributed as Keras'"] = alike(
                ours_of(theirs, shape), plain(theirs(shape))
            )
    for shape in ((50, 50), (20, 80), (80, 20), (3, 3, 8, 30)):
        theirs = plain(keras.initializers.Orthogonal(gain=1.5, seed=3)(shape)).reshape(-1, shape[-1])
        own = ours_of("Orthogonal(gain=1.5)", shape).reshape(-1, shape[-1])
        side = (lambda m: m.T @ m) if own.shape[0] >= own.shape[1] else (lambda m: m @ m.T)
        FACTS[f"draws orthogonal {shape}: are as orthogonal as Keras'"] = np.allclose(
            side(own), side(theirs), atol=1e-4
        )
        FACTS[f"draws orthogonal {shape}: are distributed as Keras'"] = distance(own, theirs) < 1.95
    fixed = {
        "zeros": (3, 4),
        "ones": (2,),
        "Constant(0.1)": (3,),
        "identity": (3, 5),
        "Identity(gain=0.3)": (4, 4),
    }
    for text, shape in fixed.items():
        name, _, number = text.rstrip(")").partition("(")
        arguments = [float(number.rpartition("=")[2])] if number else []
        theirs = getattr(keras.initializers, name)(*arguments)(shape)
        FACTS[f"draws {text}: are exactly Keras'"] = ours_of(text, shape).tobytes() == plain(theirs).tobytes()


keras.utils.set_random_seed(4)  # an initializer takes its seed when it is made
HE = keras.initializers.HeUniform()
BUILT = {
    "dense": (layers.Dense(200), (2, 100)),
    "dense he": (layers.Dense(200, kernel_initializer=HE, bias_initializer="random_normal"), (2, 100)),
    "convolution": (layers.Conv2D(32, 3, kernel_initializer="lecun_normal"), (2, 8, 8, 40)),
    "transposed": (layers.Conv2DTranspose(32, 3), (2, 8, 8, 20)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=4, depthwise_initializer="he_normal"), (2, 9, 9, 200)),
    "separable": (layers.SeparableConv1D(64, 3, depth_multiplier=4, pointwise_initializer=HE), (2, 9, 300)),
    "einsum": (layers.EinsumDense("abc,cde->abde", (5, 6, 40), bias_axes="de"), (2, 5, 40)),
    "einsum in": (layers.EinsumDense("abcd,cde->abe", (5, 90), kernel_initializer="he_normal"), (2, 5, 8, 16)),
    "embedding": (layers.Embedding(100, 64), (2, 3)),
    "reversible": (layers.ReversibleEmbedding(100, 64, tie_weights=False), (2, 3)),
    "lstm": (layers.LSTM(40), (2, 5, 60)),
    "lstm closed": (layers.LSTM(40, unit_forget_bias=False, bias_initializer="random_uniform"), (2, 5, 60)),
    "lstm drawn": (layers.LSTM(400, bias_initializer="random_normal"), (2, 5, 6)),
    "gru": (layers.GRU(40, recurrent_initializer="glorot_normal"), (2, 5, 60)),
    "gru before": (layers.GRU(40, reset_after=False), (2, 5, 60)),
    "simple": (layers.SimpleRNN(80), (2, 5, 60)),
    "conv lstm": (layers.ConvLSTM1D(20, 3), (2, 3, 9, 10)),
    "bidirectional": (layers.Bidirectional(layers.LSTM(40, kernel_initializer=HE)), (2, 5, 60)),
    "batch norm": (layers.BatchNormalization(gamma_initializer="random_normal"), (2, 2000)),
    "batch renorm": (layers.BatchNormalization(renorm=True), (2, 5)),
    "layer norm": (layers.LayerNormalization(), (2, 50)),
    "group norm": (layers.GroupNormalization(2), (2, 50)),
    "rms norm": (layers.RMSNormalization(), (2, 50)),
    "prelu": (layers.PReLU(alpha_initializer="random_uniform"), (2, 9, 400)),
    "normalization": (layers.Normalization(), (2, 5)),
    "attention": (layers.MultiHeadAttention(8, 16, kernel_initializer="he_normal"), [(2, 5, 64), (2, 5, 48)]),
    "grouped attention": (layers.GroupQueryAttention(16, 4, 2), [(2, 5, 64), (2, 5, 48)]),
    "additive attention": (layers.AdditiveAttention(), [(2, 5, 1600), (2, 5, 1600)]),
    "plain attention": (layers.Attention(use_scale=True, score_mode="concat"), [(2, 5, 6), (2, 5, 6)]),
}


def innermost(layer: keras.Layer, around: str = "") -> list[tuple[str, keras.Layer, keras.Variable]]:
    """Every variable once, with the layer that made it and the names of the layers around it."""
    found = {id(v): (around, layer, v) for v in [*layer._trainable_variables, *layer._non_trainable_variables]}
    for one in layer._layers:
        for path, owner, variable in innermost(one, f"{around}/{one.name}" if around else one.name):
            found.setdefault(id(variable), (path, owner, variable))
    return list(found.values())


def configured(layer: keras.Layer) -> Configured:
    return Configured(type(layer).__name__, layer.get_config(), type(layer).__module__.startswith("keras."))


def floats(layer: keras.Layer) -> list[tuple[str, keras.Layer, keras.Variable]]:
    return [found for found in innermost(layer) if "float" in found[2].dtype]


def build() -> keras.Model:
    """A model whose names are automatic, but for some."""
    tokens, numbers = keras.Input((6,), dtype="int32"), keras.Input((8,))
    text = layers.Embedding(30, 32)(tokens)
    text = layers.Bidirectional(layers.LSTM(24, return_sequences=True))(text)
    text = layers.GRU(24, return_sequences=True)(layers.MultiHeadAttention(4, 12)(text, text))
    text = layers.LSTM(24, kernel_initializer="he_normal")(text)
    tower = keras.Sequential([keras.Input((8,)), layers.Dense(64), layers.BatchNormalization(), layers.Dense(64)])
    joined = layers.Concatenate()([text, layers.Dropout(0.1)(tower(numbers))])
    return keras.Model([tokens, numbers], layers.Dense(40, name="head")(layers.LayerNormalization()(joined)))


class Live(WeightStore):
    """A model as a store, as far as planning needs one."""

    label, format, ordered = "model", "model", True

    def __init__(self, model: keras.Model) -> None:
        self.owners: dict[WeightRef, tuple[keras.Layer, keras.Variable]] = {}
        for path, layer, variable in innermost(model):
            name = variable.name
            kind = Kind.PARAMETER if variable.trainable else Kind.STATISTIC
            if "seed" in name:
                kind = Kind.STATE
            ref = WeightRef(
                f"{path}/{name}", path, 0, name, tuple(variable.shape), np.dtype(variable.dtype), kind,
                type(layer).__name__, variable.trainable, None,
            )  # fmt: skip
            self.owners[ref] = (layer, variable)

    def __iter__(self) -> object:
        return iter(self.owners)

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        raise NotImplementedError

    def editing(self, *_: object) -> NoReturn:
        raise NotImplementedError

    def configured(self, ref: WeightRef) -> Configured:
        return configured(self.owners[ref][0])

    def drawn(self, seed: int) -> dict[str, bytes]:
        plan = plan_edit(self, Reinitialize(seed=seed))
        return {
            ref.path: plan.transform(ref, plain(self.owners[ref][1])).astype(ref.dtype).tobytes() for ref in plan.chosen
        }


def try_beginnings() -> None:
    keras.utils.set_random_seed(2)
    for name, (layer, shape) in BUILT.items():
        if isinstance(layer, layers.MultiHeadAttention | layers.GroupQueryAttention):
            layer.build(*shape)
        else:
            layer.build(shape)
        store = Live(layer)
        for ref, (_, variable) in store.owners.items():
            if "float" in variable.dtype:
                drawn = own_initializer(store, ref)(ref.shape, Draws(1, ref.path), 0, ref.size).reshape(ref.shape)
                FACTS[f"beginning {name} {ref.path}: is Keras'"] = alike(drawn, plain(variable))


def reinit(*arguments: object) -> dict:
    command = [sys.executable, "-m", "weightkit", "reinit", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def try_files() -> None:
    keras.utils.set_random_seed(3)
    keras.utils.clear_session()
    model = build()
    for variable in model.weights:
        if "float" in variable.dtype:
            variable.assign(variable + 9)
    fresh = keras.models.clone_model(model)
    loaded = {}
    for name in ("model.keras", "model.h5"):
        model.save(FOLDER / name)
        for number in (1, 2):
            reinit(FOLDER / name, "--seed", 7, "-o", FOLDER / f"{number}.{name}")
        first, second = ((FOLDER / f"{number}.{name}").read_bytes() for number in (1, 2))
        FACTS[f"file {name}: one seed gives one file"] = first == second
        loaded[name] = keras.saving.load_model(FOLDER / f"1.{name}", compile=False)
        before = keras.saving.load_model(FOLDER / name, compile=False)
        values = {f"{path}/{v.name}": plain(v).tobytes() for path, _, v in floats(loaded[name])}
        FACTS[f"file {name}: the model that is loaded from it draws the same"] = Live(before).drawn(7) == values
        pairs = zip(floats(loaded[name]), floats(fresh), strict=True)
        for (_, _, edited), (_, _, begun) in pairs:
            FACTS[f"file {name} {edited.path}: is as Keras begins it"] = alike(plain(edited), plain(begun))
    same = zip(*(map(plain, one.weights) for one in loaded.values()), strict=True)
    FACTS["file: both formats draw the same"] = all(a.tobytes() == b.tobytes() for a, b in same)
    again = keras.saving.load_model(FOLDER / "model.keras", compile=False)
    rebuilt = build()
    rebuilt.load_weights(FOLDER / "1.model.keras")
    FACTS["file: a model that is built again has other names and draws the same"] = [v.path for v in again.weights] != [
        v.path for v in rebuilt.weights
    ] and list(Live(rebuilt).drawn(7).values()) == [plain(v).tobytes() for _, _, v in floats(rebuilt)]
    with open_weights(FOLDER / "1.model.keras") as store:
        FACTS["file: every LSTM's forget gate is open"] = all(
            np.array_equal(np.split(store.read(ref), 4)[1], np.ones(24))
            for ref in store
            if ref.layer_class == "LSTMCell" and ref.name == "bias"
        )


warnings.simplefilter("ignore")
try_initializers()
try_beginnings()
try_files()
sys.stdout.write(json.dumps({fact: bool(holds) for fact, holds in FACTS.items()}) + "\n")
