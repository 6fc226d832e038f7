"""Make ``weightkit/access/names/keras_layers.json`` from Keras itself.

A version-3 file stores a layer's weights by position only. This asks each built-in layer class of the installed
Keras what ``save_own_variables`` writes, for every combination of the configuration flags that change it, and
which sublayers are saved below it. Run it again for a new Keras, and read the difference:

    KERAS_BACKEND=tensorflow python scripts/make/layer_table.py
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import os
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.saving.saving_lib import _walk_saveable
from keras.src.utils.naming import to_snake_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTPUT = Path(__file__).resolve().parents[2] / "weightkit" / "access" / "names" / "keras_layers.json"

# Each weight's shape is seen at three sizes: dimensions that are equal in all of them are one dimension.
SIZES = ((4, 6, 10, 5, 2, 3), (6, 15, 14, 2, 4, 2), (10, 12, 8, 3, 3, 4))
QUANTIZATION_MODES = ("int8", "int4/-1", "int4/4", "gptq/4/2", "awq/4/2", "float8")

# Their weights are another framework's, not named by class and configuration.
OPAQUE = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}


@dataclass(frozen=True)
class Recipe:
    """How to build one class: arguments and input shape from a tuple of sizes, and what to vary."""

    arguments: Callable[[tuple[int, ...]], dict[str, Any]]
    inputs: Callable[[tuple[int, ...]], Any]
    given: dict[str, Any] = field(default_factory=dict)
    """Flags that are None or not: argument to the values that replace None (or None itself)."""
    values: dict[str, list[Any]] = field(default_factory=dict)
    """Flags of several values, the default first."""
    ranks: tuple[tuple[dict[str, Any], Any], ...] = ()
    """Further arguments and input shapes at which weights have another rank."""
    wraps: dict[str, list[str]] = field(default_factory=dict)
    """Attribute as in the file, to the configuration keys that may hold that sublayer's configuration."""
    cls: type | None = None


def _vector(s: tuple[int, ...]) -> tuple[int, ...]:
    return (2, s[0])


def _sequence(s: tuple[int, ...]) -> tuple[int, ...]:
    return (2, 5, s[0])


def _image(s: tuple[int, ...]) -> tuple[int, ...]:
    return (2, 16, 16, s[0])


def _grid(rank: int) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    return lambda s: (2, *(16,) * rank, s[0])


def _convolution(rank: int) -> Recipe:
    return Recipe(lambda s: {"filters": s[1], "kernel_size": s[-rank:]}, _grid(rank))


def _depthwise(rank: int) -> Recipe:
    return Recipe(lambda s: {"kernel_size": s[-rank:], "depth_multiplier": s[1]}, _grid(rank))


def _separable(rank: int) -> Recipe:
    return Recipe(lambda s: {"filters": s[2], "kernel_size": s[-rank:], "depth_multiplier": s[1]}, _grid(rank))


def _recurrent() -> Recipe:
    return Recipe(lambda s: {"units": s[1]}, _sequence)


def _cell() -> Recipe:
    return Recipe(lambda s: {"units": s[1]}, lambda s: ((2, s[0]), (2, s[1])))


def _conv_lstm(rank: int) -> Recipe:
    return Recipe(lambda s: {"filters": s[1], "kernel_size": s[-rank:]}, lambda s: (2, 3, *(8,) * rank, s[0]))


def _three(s: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(2, 5, s[0]), (2, 5, s[0]), (2, 5, s[0])]


RECIPES: dict[str, Recipe] = {
    "AdditiveAttention": Recipe(lambda _: {}, _three),
    "Attention": Recipe(lambda _: {}, _three, values={"score_mode": ["dot", "concat"]}),
    "BatchNormalization": Recipe(lambda _: {}, _vector),
    "Bidirectional": Recipe(
        lambda s: {"layer": layers.LSTM(s[1])},
        _sequence,
        wraps={"forward_layer": ["layer"], "backward_layer": ["backward_layer", "layer"]},
    ),
    "Conv1D": _convolution(1),
    "Conv1DTranspose": _convolution(1),
    "Conv2D": _convolution(2),
    "Conv2DTranspose": _convolution(2),
    "Conv3D": _convolution(3),
    "Conv3DTranspose": _convolution(3),
    "ConvLSTM1D": _conv_lstm(1),
    "ConvLSTM2D": _conv_lstm(2),
    "ConvLSTM3D": _conv_lstm(3),
    "ConvLSTMCell": Recipe(
        lambda s: {"rank": 2, "filters": s[1], "kernel_size": s[-2:]},
        lambda s: ((2, 8, 8, s[0]), (2, 8, 8, s[1])),
        ranks=(({"rank": 1, "kernel_size": 3}, ((2, 8, 5), (2, 8, 3))),),
        cls=ConvLSTMCell,
    ),
    "Dense": Recipe(lambda s: {"units": s[1]}, _vector),
    "DepthwiseConv1D": _depthwise(1),
    "DepthwiseConv2D": _depthwise(2),
    "EinsumDense": Recipe(
        lambda s: {"equation": "ab,bc->ac", "output_shape": (s[1],)},
        _vector,
        given={"bias_axes": "c"},
        ranks=(({"equation": "abc,cde->abde", "output_shape": (5, 6, 8)}, (2, 5, 4)),),
    ),
    "Embedding": Recipe(lambda s: {"input_dim": s[0], "output_dim": s[1]}, lambda _: (2,)),
    "GRU": _recurrent(),
    "GRUCell": _cell(),
    "GroupNormalization": Recipe(lambda _: {"groups": 2}, _vector),
    "GroupedQueryAttention": Recipe(
        lambda s: {"head_dim": s[1], "num_query_heads": 4, "num_key_value_heads": 2},
        _three,
        cls=layers.GroupQueryAttention,
    ),
    "LSTM": _recurrent(),
    "LSTMCell": _cell(),
    "LayerNormalization": Recipe(lambda _: {}, _vector, ranks=(({"axis": [-2, -1]}, (2, 5, 7)),)),
    "MelSpectrogram": Recipe(lambda _: {"window": None}, lambda _: (2, 16000)),
    "MultiHeadAttention": Recipe(lambda s: {"num_heads": s[3], "key_dim": s[1]}, _three),
    "Normalization": Recipe(
        lambda _: {},
        _vector,
        given={"mean": {"mean": 0.0, "variance": 1.0}},
        ranks=(({"axis": None}, (2, 5)), ({"axis": (-2, -1)}, (2, 5, 7))),
    ),
    "PReLU": Recipe(lambda _: {}, _vector, ranks=(({}, (2, 5, 7)),)),
    "Pipeline": Recipe(
        lambda s: {"layers": [layers.Dense(s[1]), layers.Dense(s[2])]}, _vector, wraps={"layers": ["layers"]}
    ),
    "RMSNormalization": Recipe(lambda _: {}, _vector, ranks=(({"axis": [-2, -1]}, (2, 5, 7)),)),
    "RNN": Recipe(lambda s: {"cell": layers.LSTMCell(s[1])}, _sequence, wraps={"cell": ["cell"]}),
    "ReversibleEmbedding": Recipe(lambda s: {"input_dim": s[0], "output_dim": s[1]}, lambda _: (2,)),
    "STFTSpectrogram": Recipe(
        lambda s: {"frame_length": 16 * s[0], "frame_step": 8, "fft_length": 512, "window": None},
        lambda _: (2, 4000, 1),
        values={"mode": ["log", "real", "imag"]},
    ),
    "SeparableConv1D": _separable(1),
    "SeparableConv2D": _separable(2),
    "SimpleRNN": _recurrent(),
    "SimpleRNNCell": _cell(),
    # It tracks the wrapped layer's kernel as its own too, so that Keras saves that kernel twice.
    "SpectralNormalization": Recipe(
        lambda s: {"layer": layers.Dense(s[1])},
        _vector,
        values={"layer": ["Dense", "Embedding"]},
        ranks=(({"layer": "Conv1D"}, (2, 5, 7)),),
        wraps={"layer": ["layer"]},
    ),
    "StackedRNNCells": Recipe(
        lambda s: {"cells": [layers.LSTMCell(s[1]), layers.GRUCell(s[2])]},
        lambda s: ((2, s[0]), None),
        wraps={"cells": ["cells"]},
    ),
    "TimeDistributed": Recipe(lambda s: {"layer": layers.Dense(s[1])}, _sequence, wraps={"layer": ["layer"]}),
    "Wrapper": Recipe(lambda s: {"layer": layers.Dense(s[1])}, _vector, wraps={"layer": ["layer"]}),
}

QUANTIZED = ("Dense", "EinsumDense", "Embedding", "ReversibleEmbedding")
LORA = ("Conv1D", "Conv2D", "Conv3D", "Dense", "EinsumDense", "Embedding", "ReversibleEmbedding")
NOT_FLAGS = {"autocast", "trainable", "unroll"}
FIXED_BY_NATURE = {"BatchNormalization": "statistic", "Normalization": "statistic"}

# What the weightless classes need to be built; the shapes are tried in turn.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AdaptiveAveragePooling1D": {"output_size": 2},
    "AdaptiveAveragePooling2D": {"output_size": 2},
    "AdaptiveAveragePooling3D": {"output_size": 2},
    "AdaptiveMaxPooling1D": {"output_size": 2},
    "AdaptiveMaxPooling2D": {"output_size": 2},
    "AdaptiveMaxPooling3D": {"output_size": 2},
    "AlphaDropout": {"rate": 0.5},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": 2},
    "AveragePooling3D": {"pool_size": 2},
    "CategoryEncoding": {"num_tokens": 4},
    "CenterCrop": {"height": 2, "width": 2},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "HashedCrossing": {"num_bins": 4},
    "Hashing": {"num_bins": 4},
    "IntegerLookup": {"vocabulary": [1, 2]},
    "Lambda": {"function": abs},
    "MaxNumBoundingBoxes": {"max_number": 2},
    "Permute": {"dims": (1,)},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 2, "width": 2},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": (-1,)},
    "Resizing": {"height": 2, "width": 2},
    "SpatialDropout1D": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
    "StringLookup": {"vocabulary": ["a", "b"]},
    "TextVectorization": {"vocabulary": ["a", "b"]},
}
NAMED = ("IntegerLookup", "StringLookup", "TextVectorization")
PROBES: tuple[Any, ...] = (
    (2, 8),
    (2, 8, 3),
    (2, 8, 8, 3),
    (2, 8, 8, 8, 3),
    [(2, 8), (2, 8)],
)


def build(layer: Any, shape: Any) -> None:
    """Build a layer by its inputs' shape: one, a list of inputs, or a cell's (inputs, state)."""
    if isinstance(shape, tuple) and isinstance(shape[0], tuple):
        layer.build(shape[0])
    elif isinstance(shape, list):
        tensors = [np.zeros(one, "float32") for one in shape]
        takes_list = isinstance(layer, (layers.Attention, layers.AdditiveAttention)) or len(shape) == 2
        _ = layer(tensors) if takes_list else layer(*tensors)
    else:
        layer.build(shape)


def own_variables(layer: Any) -> list[Any]:
    """The variables that Keras saves for this object itself, in its order."""
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    ordered = [store[key] for key in sorted(store, key=int)]
    named = {id(v): v for v in layer.variables} | {id(v.value): v for v in layer.variables}
    found = [named[id(value)] for value in ordered if id(value) in named]
    if len(found) < len(ordered):
        # Values made while saving are no variables; Keras' own list of attributes names them.
        names = layer.variable_serialization_spec[layer.quantization_mode]
        attributes = [vars(layer).get("_" + name, vars(layer).get(name)) for name in names]
        found = [v for v in attributes if v is not None]
    assert len(found) == len(ordered), layer
    return found


def saved_children(saveable: Any) -> Iterator[tuple[str, Any]]:
    """The objects that Keras saves directly below one, by their path in the file."""
    seen: set[int] = {id(saveable)}
    for attribute, value in _walk_saveable(saveable):
        if isinstance(value, KerasSaveable):
            if id(value) not in seen:
                seen.add(id(value))
                yield attribute, value
        elif isinstance(value, (list, dict, tuple)):
            used: dict[str, int] = {}
            for one in value.values() if isinstance(value, dict) else value:
                if not isinstance(one, KerasSaveable):
                    continue
                key = to_snake_case(type(one).__name__)
                used[key] = used.get(key, -1) + 1
                if id(one) not in seen:
                    seen.add(id(one))
                    yield f"{attribute}/{key}_{used[key]}" if used[key] else f"{attribute}/{key}", one


def holds_weights(saveable: Any) -> bool:
    """Whether Keras saves any array for this object or below it."""
    store: dict[str, Any] = {}
    if hasattr(saveable, "save_own_variables"):
        saveable.save_own_variables(store)
    return bool(store) or any(holds_weights(child) for _, child in saved_children(saveable))


def kind(class_name: str, variable: Any, mode: str | None, plain_names: set[str]) -> str:
    """What a variable is to its model."""
    if mode and (variable.name not in plain_names or "int" in variable.dtype):
        return "quantization"
    if variable.trainable:
        return "parameter"
    return FIXED_BY_NATURE.get(class_name, "state")


def symbols(columns: list[tuple[tuple[int, ...], ...]]) -> list[str]:
    """Each weight's dimensions as text, from its shapes at several sizes.

    ``a,b`` are free dimensions, equal letters equal dimensions, ``4b`` four times ``b``, ``3`` always three,
    ``()`` a scalar, ``*A`` a shape of any rank, equal to the others of that letter.
    """
    known: dict[tuple[int, ...], str] = {}
    wholes: dict[tuple[tuple[int, ...], ...], str] = {}
    out = []
    for shapes in columns:
        if len({len(shape) for shape in shapes}) > 1:
            out.append("*" + wholes.setdefault(shapes, string.ascii_uppercase[len(wholes)]))
            continue
        out.append(",".join(dimension(values, known) for values in zip(*shapes, strict=True)) or "()")
    return out


def dimension(values: tuple[int, ...], known: dict[tuple[int, ...], str]) -> str:
    """One dimension's symbol."""
    if len(set(values)) == 1 and values[0] <= 2:  # larger ones are settings that nothing here varies
        return str(values[0])
    for factor in range(1, 5):
        base = tuple(value // factor for value in values)
        if all(value % factor == 0 for value in values) and base in known:
            return known[base] if factor == 1 else f"{factor}{known[base]}"
    # The gates of LSTM and GRU: a kernel comes before the recurrent kernel that would tell its unit.
    known[values] = string.ascii_lowercase[len(known)]
    return known[values]


Flags = dict[str, Any]


def flags_of(name: str, cls: type, recipe: Recipe) -> dict[str, tuple[str, list[Any]]]:
    """What may change a class's weights: flag to (how it is read, its values; the default first)."""
    out: dict[str, tuple[str, list[Any]]] = {}
    for parameter in inspect.signature(cls.__init__).parameters.values():  # type: ignore[misc]  # Keras makes layers by __new__
        if isinstance(parameter.default, bool) and parameter.name not in NOT_FLAGS:
            out[parameter.name] = ("true", [parameter.default, not parameter.default])
    out |= {flag: ("given", [False, True]) for flag in recipe.given}
    out |= {flag: ("class" if flag == "layer" else "value", v) for flag, v in recipe.values.items()}
    if name in QUANTIZED:
        out["quantization"] = ("mode", [None, *QUANTIZATION_MODES])
    return out


def make(cls: type, recipe: Recipe, sizes: tuple[int, ...], flags: Flags, rank: int = 0) -> Any:
    """Build one layer; ``rank`` 0 is the recipe's own shape, more are its further ranks."""
    arguments = dict(recipe.arguments(sizes))
    shape = recipe.inputs(sizes)
    for flag, value in flags.items():
        if flag == "quantization":
            arguments |= {"dtype": f"{value}_from_float32"} if value else {}
        elif flag in recipe.given:
            given = recipe.given[flag]
            arguments |= (given if isinstance(given, dict) else {flag: given}) if value else {}
        elif flag != "layer":
            arguments[flag] = value
    if rank:
        more, shape = recipe.ranks[rank - 1]
        arguments |= more
        if "bias_axes" in arguments:
            arguments["bias_axes"] = "de"
    if "layer" in flags:
        arguments["layer"], shape = wrapped(flags["layer"], rank, sizes, shape)
    layer = cls(**arguments)
    build(layer, shape)
    return layer


def wrapped(name: str, rank: int, sizes: tuple[int, ...], shape: Any) -> tuple[Any, Any]:
    """The layer to wrap, and the input it takes, where the wrapper's weights depend on its class."""
    if name == "Embedding":
        return layers.Embedding(sizes[0], sizes[1]), (2,)
    return (layers.Conv1D(sizes[1], 3) if rank else layers.Dense(sizes[1])), shape


class Table:
    """The table while it grows: a class's entry is made before those of the classes that contain it."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.flags: dict[str, dict[str, tuple[str, list[Any]]]] = {}

    def case(self, name: str, cls: type, recipe: Recipe, flags: Flags) -> dict[str, Any]:
        """The weights and sublayers of one class under one setting of flags."""
        built = [make(cls, recipe, sizes, flags) for sizes in SIZES]
        built += [make(cls, recipe, SIZES[0], flags, rank + 1) for rank in range(len(recipe.ranks))]
        variables = [own_variables(layer) for layer in built]
        plain = set()
        if flags.get("quantization"):
            plain = {v.name for v in own_variables(make(cls, recipe, SIZES[0], flags | {"quantization": None}))}
        shapes = symbols([tuple(tuple(v.shape) for v in column) for column in zip(*variables, strict=True)])
        weights = [
            f"{v.name} {kind(name, v, flags.get('quantization'), plain)}"
            f" {'int' if 'int' in v.dtype else 'float'} {shape}"
            for v, shape in zip(variables[0], shapes, strict=True)
        ]
        return {"weights": weights, "children": [] if recipe.wraps else self.children(built)}

    def require_passed_on(self, name: str, cls: type, recipe: Recipe) -> None:
        """See that a layer which makes sublayers itself has the keys of their initializers in its own configuration."""
        config = make(cls, recipe, SIZES[0], {flag: v for flag, (_, (v, *_)) in self.flags[name].items()}).get_config()
        for case in self.entries[name]["cases"]:
            for _, child, _, _ in case["children"]:
                keys = {how.split()[0] for how in self.entries[child]["initial"].values()} - {"-"}
                assert keys <= config.keys(), f"{name} says nothing of {keys - config.keys()} of its {child}"

    def children(self, built: list[Any]) -> list[list[Any]]:
        """The sublayers with weights: path in the file, class, name (None where automatic), flags."""
        out = []
        found = [[(path, c) for path, c in saved_children(layer) if holds_weights(c)] for layer in built]
        for column in zip(*found, strict=True):
            path, child = column[0]
            name = type(child).__name__
            names = {c.name for _, c in column}
            config = child.get_config()
            flags = {flag: read(config, flag, how) for flag, (how, _) in self.flags[name].items()}
            flags.pop("quantization", None)  # a sublayer may be quantized alone, and nothing says so
            out.append([path, name, names.pop() if len(names) == 1 else None, flags])
        return out

    def add(self, name: str, recipe: Recipe) -> None:
        """Make the entry of one of Keras' classes."""
        cls = recipe.cls or getattr(layers, name)
        self.add_cases(name, cls, recipe)
        self.entries[name]["lora"] = lora_freezes(cls, recipe) if name in LORA else []
        self.entries[name]["initial"] = self.initial(name, cls, recipe)
        self.require_passed_on(name, cls, recipe)

    def add_cases(self, name: str, cls: type, recipe: Recipe) -> None:
        """Make the entry of any class: what it saves under every setting of the flags that change it."""
        candidates = flags_of(name, cls, recipe)
        default = {flag: values[0] for flag, (_, values) in candidates.items()}
        plain = self.case(name, cls, recipe, default)
        relevant = {
            flag: (how, values)
            for flag, (how, values) in candidates.items()
            if any(self.try_case(name, cls, recipe, default | {flag: v}) not in (plain, None) for v in values)
        }
        # A flag may matter only together with another (center without scale): the product of those that do.
        cases = []
        for values in itertools.product(*(values for _, values in relevant.values())):
            when = dict(zip(relevant, values, strict=True))
            case = self.try_case(name, cls, recipe, default | when)
            if case is not None:
                cases.append({"when": when} | case)
        self.flags[name] = relevant
        self.entries[name] = {
            "flags": {flag: [how, values[0]] for flag, (how, values) in relevant.items()},
            "wraps": recipe.wraps,
            "cases": cases,
        }

    def initial(self, name: str, cls: type, recipe: Recipe) -> dict[str, str]:
        """What each weight begins as, under any setting of flags: see `initial_values`."""
        found: dict[str, str] = {}
        for case in self.entries[name]["cases"]:
            flags = case["when"]
            # A wrapper's own weights are copies of the wrapped layer's: its configuration does not say how they begin.
            if case.get("weights") and flags.get("quantization") is None and not recipe.wraps:
                for weight, how in initial_values(name, cls, recipe, flags).items():
                    assert found.setdefault(weight, how) == how, f"{name} begins {weight} in two ways"
        return found

    def try_case(self, name: str, cls: type, recipe: Recipe, flags: Flags) -> dict[str, Any] | None:
        """The case, or None where Keras refuses this setting of flags."""
        try:
            return self.case(name, cls, recipe, flags)
        except (ValueError, NotImplementedError, TypeError) as refused:
            print(f"{name} {flags}: refused, {str(refused).splitlines()[0][:90]}")
            return None


def read(config: dict[str, Any], flag: str, how: str) -> Any:
    """A flag's value in a layer's configuration."""
    value = config.get(flag)
    return {"true": bool(value), "given": value is not None}.get(how, value)


def initial_values(name: str, cls: type, recipe: Recipe, flags: Flags) -> dict[str, str]:
    """How each floating-point parameter and statistic of a layer begins, by the weight's name.

    ``KEY DEFAULT``: as the configuration's key says, by default so; ``- NAME``: so, whatever the configuration says.
    A third word is a flag of the configuration under which the second of four equal parts begins as ones.
    """
    keys = [key for key in inspect.signature(cls).parameters if key.endswith("_initializer")]
    marks = {key: float(7 + number) for number, key in enumerate(keys)}
    chosen = {key: keras.initializers.Constant(mark) for key, mark in marks.items()}
    added: dict[int, Any] = {}
    with recorded(added):
        layer = make(cls, recipe, SIZES[0], flags | chosen)
    defaults = make(cls, recipe, SIZES[0], flags).get_config()
    found = {}
    for variable in own_variables(layer):
        if not variable.dtype.startswith("float") or kind(name, variable, None, set()) == "state":
            continue
        values = np.asarray(keras.ops.convert_to_numpy(variable)).reshape(-1)
        key = next((key for key, mark in marks.items() if mark in values), None)
        if key is not None:
            rest = set(values.tolist()) - {marks[key]}
            assert not rest or (rest == {1.0} and np.all(np.split(values, 4)[1] == 1)), (cls, variable.name)
            found[variable.name] = f"{key} {plain_name(defaults[key])}" + (" unit_forget_bias" if rest else "")
        elif len(set(values.tolist())) == 1 and values[0] in (0, 1):
            found[variable.name] = "- ones" if values[0] else "- zeros"
        else:
            made = added[id(variable)]
            # BatchNormalization's deviations begin as roots of the variance's beginning: of ones, where none is given.
            found[variable.name] = "- ones" if inspect.isfunction(made) else f"- {plain_name(made)}"
    return found


@contextlib.contextmanager
def recorded(added: dict[int, Any]) -> Iterator[None]:
    """Keep the initializer that each variable is made with, by the variable's identity."""
    original = layers.Layer.add_weight

    def add_weight(self: Any, *arguments: Any, **options: Any) -> Any:
        variable = original(self, *arguments, **options)
        added[id(variable)] = options.get("initializer")
        return variable

    layers.Layer.add_weight = add_weight
    try:
        yield
    finally:
        layers.Layer.add_weight = original


def plain_name(initializer: Any) -> str:
    """An initializer's name, where its arguments are those of its class; else its class and arguments."""
    made = keras.initializers.get(initializer)
    name, config = type(made).__name__, made.get_config()
    usual = type(made)().get_config() if name != "Constant" else {}
    differing = {key: value for key, value in config.items() if key not in usual or usual[key] != value}
    differing.pop("seed", None)
    given = ",".join(f"{key}={value!r}" for key, value in differing.items())
    return f"{name}({given})" if given else to_snake_case(name)


def lora_freezes(cls: type, recipe: Recipe) -> list[str]:
    """Names of the saved weights that LoRA takes out of training; their values are saved merged."""
    layer = make(cls, recipe, SIZES[0], {})
    before = {v.name for v in own_variables(layer) if v.trainable}
    layer.enable_lora(2)
    names = {id(v): v.name for v in layer.variables}
    frozen = {names[id(v)] for v in layer.variables if not v.trainable and id(v) in names}
    return sorted(before & frozen)


def assert_weightless(name: str, cls: type) -> None:
    """Build a class that has no recipe, and see that Keras saves nothing for it."""
    if name == "InputLayer":
        return
    refusals = []
    for shape in PROBES:
        layer = cls(**ARGUMENTS.get(name, {}))
        try:
            build(layer, shape)
        except Exception as refused:  # noqa: BLE001 - each layer refuses a wrong rank in its own way
            refusals.append(refused)
            continue
        assert not holds_weights(layer), f"{name} has weights: it needs a recipe"
        return
    # What takes text or pairs of images is not called: its constructor and build make no variable.
    print(f"{name}: not called ({type(refusals[-1]).__name__})")
    assert not holds_weights(layer), f"{name} has weights: it needs a recipe"


def named_entry(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """The entry of a class that saves under names, not numbers, what `adapt` measures."""
    layer = cls(output_mode="tf_idf", idf_weights=[1.0, 2.0], **arguments)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert store
    assert not any(key.isdecimal() for key in store), cls
    below = [(path, type(child).__name__) for path, child in saved_children(layer) if holds_weights(child)]
    children: list[list[Any]] = [[*one, None, {}] for one in below]
    return {"named": dict.fromkeys(store, "statistic"), "cases": [{"children": children}]}


def layer_classes() -> dict[str, type]:
    """Every layer class of ``keras.layers`` under its own name, which is the one in files; aliases left out."""
    classes = (getattr(layers, name) for name in dir(layers))
    return {c.__name__: c for c in classes if inspect.isclass(c) and issubclass(c, layers.Layer)}


def aliases() -> dict[str, str]:
    """Other names of ``keras.layers`` for the same class; a configuration may hold one, a key never does."""
    found = {name: getattr(layers, name).__name__ for name in dir(layers) if inspect.isclass(getattr(layers, name))}
    return {name: own for name, own in sorted(found.items()) if name != own}


def dump(entries: dict[str, dict[str, Any]]) -> str:
    """JSON with one case a line, so that a difference reads well."""
    lines = [f'{{"keras": {json.dumps(keras.__version__)},', f' "aliases": {json.dumps(aliases(), indent=1)},']
    return "\n".join(lines) + "\n" + dump_entries("classes", entries) + "}\n"


def dump_entries(key: str, entries: dict[str, dict[str, Any]]) -> str:
    """One object of entries under its key."""
    lines = [f" {json.dumps(key)}: {{"]
    for name in sorted(entries):
        head = {key: value for key, value in entries[name].items() if key != "cases" and value}
        lines.append(f" {json.dumps(name)}: {{")
        lines += [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in sorted(head.items())]
        cases = [{k: v for k, v in case.items() if v} for case in entries[name]["cases"]]
        body = ",\n   ".join(json.dumps(case) for case in cases)
        lines.append(f'  "cases": [\n   {body}]}},' if any(cases) else '  "cases": [{}]},')
    return "\n".join(lines)[:-1] + "\n}"


def main() -> None:
    """Write the table beside the code that reads it."""
    table = Table()
    contained = ["Dense", "EinsumDense", "ConvLSTMCell", "GRUCell", "LSTMCell", "SimpleRNNCell"]
    for name in dict.fromkeys([*contained, *RECIPES]):
        table.add(name, RECIPES[name])
    for name, cls in layer_classes().items():
        if name not in RECIPES and name not in OPAQUE:
            assert_weightless(name, cls)
            table.entries[name] = {"cases": [{}]}
    for name in NAMED:
        table.entries[name] = named_entry(getattr(layers, name), ARGUMENTS[name])
    OUTPUT.write_text(dump(table.entries), encoding="utf-8")
    json.loads(OUTPUT.read_text(encoding="utf-8"))
    print(f"{OUTPUT}: {len(table.entries)} classes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
