"""Names of the weights of version-3 files, against live models and files that Keras wrote."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from weightkit import open_weights
from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers

pytestmark = [
    # Keras 3.15 on TensorFlow 2.21 calls NumPy and TensorFlow in ways that those deprecate.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # Layers without a quantized form say so where a model is quantized.
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning"),
    pytest.mark.filterwarnings("ignore:Invalid quantization mode:UserWarning"),
]

Make = Callable[[], Any]
V, S, M, G = (6,), (5, 6), (8, 8, 3), (4, 8, 8, 3)  # inputs: a vector, a sequence, an image, a volume

TEXT = {"shape": (1,), "dtype": "string"}
LABELLED = {"images": {"shape": M}, "labels": {"shape": (2,)}}

# One of each class; where a class appears twice, the second setting saves something else.
EXAMPLES: list[tuple[str, Make, Any]] = [
    ("Activation", lambda: layers.Activation("relu"), (V,)),
    ("ActivityRegularization", layers.ActivityRegularization, (V,)),
    *(
        (f"Adaptive{how}Pooling{r}D", lambda how=how, r=r: getattr(layers, f"Adaptive{how}Pooling{r}D")(2), (s,))
        for how in ("Average", "Max")
        for r, s in ((1, S), (2, M), (3, G))
    ),
    ("Add", layers.Add, (V, V)),
    ("AdditiveAttention", layers.AdditiveAttention, (S, S)),
    ("AlphaDropout", lambda: layers.AlphaDropout(0.5, seed=1), (V,)),
    ("Attention", lambda: layers.Attention(use_scale=True, score_mode="concat", dropout=0.1), (S, S)),
    ("AugMix", layers.AugMix, (M,)),
    ("AutoContrast", layers.AutoContrast, (M,)),
    ("Average", layers.Average, (V, V)),
    *(
        (f"{how}Pooling{r}D", lambda how=how, r=r: getattr(layers, f"{how}Pooling{r}D")(2), (s,))
        for how in ("Average", "Max")
        for r, s in ((1, S), (2, M), (3, G))
    ),
    ("BatchNormalization", layers.BatchNormalization, (V,)),
    ("BatchNormalization", lambda: layers.BatchNormalization(scale=False), (V,)),
    ("Bidirectional", lambda: layers.Bidirectional(layers.GRU(3)), (S,)),
    (
        "Bidirectional",
        lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.GRU(3, go_backwards=True, name="back")),
        (S,),
    ),
    ("CategoryEncoding", lambda: layers.CategoryEncoding(4, output_mode="multi_hot"), (V,)),
    ("CenterCrop", lambda: layers.CenterCrop(2, 2), (M,)),
    ("Concatenate", layers.Concatenate, (V, V)),
    ("ContrastLimitedAdaptiveHistogramEqualization", layers.ContrastLimitedAdaptiveHistogramEqualization, (M,)),
    *(
        (f"Conv{r}D{t}", lambda r=r, t=t: getattr(layers, f"Conv{r}D{t}")(4, 2), (s,))
        for t in ("", "Transpose")
        for r, s in ((1, S), (2, M), (3, G))
    ),
    *(
        (f"ConvLSTM{r}D", lambda r=r: getattr(layers, f"ConvLSTM{r}D")(4, 2, dropout=0.1), (s,))
        for r, s in ((1, (3, 8, 2)), (2, (3, 8, 8, 2)), (3, (3, 4, 4, 4, 2)))
    ),
    *((f"Cropping{r}D", getattr(layers, f"Cropping{r}D"), (s,)) for r, s in ((1, S), (2, M), (3, G))),
    ("CutMix", layers.CutMix, LABELLED),
    ("Dense", lambda: layers.Dense(4), (V,)),
    ("Dense", lambda: layers.Dense(4, use_bias=False), (V,)),
    ("DepthwiseConv1D", lambda: layers.DepthwiseConv1D(2), (S,)),
    ("DepthwiseConv2D", lambda: layers.DepthwiseConv2D(2), (M,)),
    ("Discretization", lambda: layers.Discretization([0.0, 1.0]), (V,)),
    ("Dot", lambda: layers.Dot(1), (V, V)),
    ("Dropout", lambda: layers.Dropout(0.5, seed=3), (V,)),
    ("ELU", layers.ELU, (V,)),
    ("EinsumDense", lambda: layers.EinsumDense("abc,cde->abde", (5, 2, 3), bias_axes="de"), (S,)),
    ("Embedding", lambda: layers.Embedding(7, 3), (V,)),
    ("Flatten", layers.Flatten, (S,)),
    ("GRU", lambda: layers.GRU(3, stateful=False, recurrent_dropout=0.2), (S,)),
    ("GRU", lambda: layers.GRU(3, reset_after=False), (S,)),
    ("GRUCell", lambda: layers.RNN(layers.GRUCell(3)), (S,)),
    ("GaussianDropout", lambda: layers.GaussianDropout(0.5), (V,)),
    ("GaussianNoise", lambda: layers.GaussianNoise(0.5), (V,)),
    *(
        (f"Global{how}Pooling{r}D", getattr(layers, f"Global{how}Pooling{r}D"), (s,))
        for how in ("Average", "Max")
        for r, s in ((1, S), (2, M), (3, G))
    ),
    ("GroupNormalization", lambda: layers.GroupNormalization(2), (V,)),
    ("GroupedQueryAttention", lambda: layers.GroupQueryAttention(3, 4, 2, use_gate=True), (S, S)),
    ("HashedCrossing", lambda: layers.HashedCrossing(4), (TEXT, TEXT)),
    ("Hashing", lambda: layers.Hashing(4), (TEXT,)),
    ("Identity", layers.Identity, (V,)),
    ("IntegerLookup", lambda: layers.IntegerLookup(vocabulary=[1, 2]), ({"shape": (1,), "dtype": "int64"},)),
    ("LSTM", lambda: layers.LSTM(3, dropout=0.2), (S,)),
    ("LSTM", lambda: layers.LSTM(3, use_bias=False), (S,)),
    ("LSTMCell", lambda: layers.RNN(layers.LSTMCell(3)), (S,)),
    ("LayerNormalization", layers.LayerNormalization, (V,)),
    ("LayerNormalization", lambda: layers.LayerNormalization(center=False), (V,)),
    ("LeakyReLU", layers.LeakyReLU, (V,)),
    ("Masking", layers.Masking, (S,)),
    (
        "MaxNumBoundingBoxes",
        lambda: layers.MaxNumBoundingBoxes(2),
        {"boxes": {"shape": (3, 4)}, "labels": {"shape": (3,)}},
    ),
    ("Maximum", layers.Maximum, (V, V)),
    ("MelSpectrogram", lambda: layers.MelSpectrogram(window=None), ((16000,),)),
    ("Minimum", layers.Minimum, (V, V)),
    ("MixUp", layers.MixUp, LABELLED),
    ("MultiHeadAttention", lambda: layers.MultiHeadAttention(2, 3, dropout=0.1), (S, S)),
    ("MultiHeadAttention", lambda: layers.MultiHeadAttention(2, 3, use_bias=False), (S, S)),
    ("Multiply", layers.Multiply, (V, V)),
    ("Normalization", layers.Normalization, (V,)),
    ("PReLU", layers.PReLU, (S,)),
    ("Permute", lambda: layers.Permute((2, 1)), (S,)),
    ("Pipeline", lambda: layers.Pipeline([layers.Dense(3), layers.ReLU(), layers.Dense(2)]), (V,)),
    ("RMSNormalization", layers.RMSNormalization, (V,)),
    ("RNN", lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.LSTMCell(4)]), (S,)),
    ("RandAugment", layers.RandAugment, (M,)),
    *(
        (f"Random{what}", lambda what=what, a=a: getattr(layers, f"Random{what}")(*a), (M,))
        for what, a in (
            ("Brightness", (0.5,)),
            ("ColorDegeneration", (0.5,)),
            ("ColorJitter", ()),
            ("Contrast", (0.5,)),
            ("Crop", (2, 2)),
            ("ElasticTransform", ()),
            ("Erasing", ()),
            ("Flip", ()),
            ("GaussianBlur", ()),
            ("Grayscale", ()),
            ("Hue", (0.5,)),
            ("Invert", ()),
            ("Perspective", ()),
            ("Posterization", (4,)),
            ("Rotation", (0.5,)),
            ("Saturation", (0.5,)),
            ("Sharpness", (0.5,)),
            ("Shear", ()),
            ("Translation", (0.5, 0.5)),
            ("Zoom", (0.5,)),
        )
    ),
    ("ReLU", layers.ReLU, (V,)),
    ("RepeatVector", lambda: layers.RepeatVector(2), (V,)),
    ("Rescaling", lambda: layers.Rescaling(0.5), (V,)),
    ("Reshape", lambda: layers.Reshape((-1,)), (S,)),
    ("Resizing", lambda: layers.Resizing(2, 2), (M,)),
    ("ReversibleEmbedding", lambda: layers.ReversibleEmbedding(7, 3), (V,)),
    ("ReversibleEmbedding", lambda: layers.ReversibleEmbedding(7, 3, tie_weights=False), (V,)),
    ("STFTSpectrogram", lambda: layers.STFTSpectrogram(window=None), ((4000, 1),)),
    ("SeparableConv1D", lambda: layers.SeparableConv1D(4, 2), (S,)),
    ("SeparableConv2D", lambda: layers.SeparableConv2D(4, 2), (M,)),
    ("SimpleRNN", lambda: layers.SimpleRNN(3), (S,)),
    ("SimpleRNNCell", lambda: layers.RNN(layers.SimpleRNNCell(3)), (S,)),
    ("Softmax", layers.Softmax, (V,)),
    ("Solarization", layers.Solarization, (M,)),
    *(
        (f"SpatialDropout{r}D", lambda r=r: getattr(layers, f"SpatialDropout{r}D")(0.5), (s,))
        for r, s in ((1, S), (2, M), (3, G))
    ),
    ("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Conv2D(4, 2)), (M,)),
    ("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Embedding(7, 3)), (V,)),
    ("StackedRNNCells", lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(2)])), (S,)),
    ("StringLookup", lambda: layers.StringLookup(vocabulary=["a", "b"]), (TEXT,)),
    ("Subtract", layers.Subtract, (V, V)),
    ("TextVectorization", lambda: layers.TextVectorization(vocabulary=["a", "b"]), (TEXT,)),
    ("TimeDistributed", lambda: layers.TimeDistributed(layers.Dense(3)), (S,)),
    ("UnitNormalization", layers.UnitNormalization, (V,)),
    *((f"UpSampling{r}D", getattr(layers, f"UpSampling{r}D"), (s,)) for r, s in ((1, S), (2, M), (3, G))),
    *((f"ZeroPadding{r}D", getattr(layers, f"ZeroPadding{r}D"), (s,)) for r, s in ((1, S), (2, M), (3, G))),
]

NOT_TRIED = {
    "Layer": "abstract: it has no call",
    "Wrapper": "abstract: it has no call",
    "Equalization": "its output is its input, and Keras 3.15 refuses that in a functional model",
    "InputLayer": "in every functional model here",
    "Lambda": "saves no weights; a configuration with code is refused on loading",
    "FlaxLayer": "its weights are named by Flax",
    "JaxLayer": "its weights are named by the user's function",
    "TFSMLayer": "its weights are named by a SavedModel",
    "TorchModuleWrapper": "its weights are named by PyTorch",
}

# Without a configuration: the class of a wrapped layer is stored nowhere, and these have several readings.
UNKNOWN_BY_KEY = {
    "BatchNormalization": "three equal vectors: gamma or beta first",
    "Bidirectional": "the class of the wrapped layer is stored nowhere",
    "GRUCell": "the class of RNN's cell is stored nowhere",
    "LSTMCell": "the class of RNN's cell is stored nowhere",
    "LayerNormalization": "one vector: gamma or beta",
    "RNN": "the classes of its cells are stored nowhere",
    "SimpleRNNCell": "the class of RNN's cell is stored nowhere",
    "SpectralNormalization": "the class of the wrapped layer is stored nowhere",
    "StackedRNNCells": "the classes of its cells are stored nowhere",
    "TimeDistributed": "the class of the wrapped layer is stored nowhere",
}

File = tuple[list[Stored], dict[str, str], Any, dict[str, np.ndarray]]


def test_every_layer_class_of_keras_has_an_example() -> None:
    own = [getattr(layers, name) for name in dir(layers)]
    names = {c.__name__ for c in own if isinstance(c, type) and issubclass(c, layers.Layer)}
    assert names - {name for name, *_ in EXAMPLES} == NOT_TRIED.keys()


def functional(make: Make, shapes: Any) -> Any:
    """A model of one layer; ``shapes`` are its inputs' shapes, or their arguments by name or in order."""
    layer = make()
    if isinstance(shapes, dict):
        inputs = {name: keras.Input(name=name, **arguments) for name, arguments in shapes.items()}
        return keras.Model(inputs, layer(inputs))
    inputs = [keras.Input(**s) if isinstance(s, dict) else keras.Input(s) for s in shapes]
    several = type(layer).__name__ in ("MultiHeadAttention", "GroupedQueryAttention")
    outputs = layer(*inputs) if several else layer(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(inputs, outputs)


def fill(model: Any) -> None:
    """Give each variable values that no other one has."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if "int" in dtype:
            high = min(np.iinfo(dtype).max, 2**31)
            variable.assign(rng.integers(0, high, variable.shape).astype(dtype))
        else:
            variable.assign(rng.random(variable.shape).astype("float32"))


def scan(path: Path) -> File:
    """The input of naming, read with plain h5py and zipfile, and the values."""
    source: Any = path
    config = None
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
            config = json.loads(archive.read("config.json"))
    stored: list[Stored] = []
    names: dict[str, str] = {}
    values: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            stored.append(Stored(name, item.shape, str(item.attrs.get("dtype", item.dtype.name))))
            values[name] = item[()]
        elif "name" in item.attrs:
            names[name.removesuffix("vars").removesuffix("/")] = item.attrs["name"]

    with h5py.File(source) as file:
        file.visititems(visit)
    return stored, names, config, values


def owners(layer: Any, above: str = "") -> Iterator[tuple[Any, str, Any]]:
    """Each variable of a live model with the names of the layers around it, and its layer."""
    for variable in layer._trainable_variables + layer._non_trainable_variables:
        yield variable, above, layer
    for child in layer._layers:
        yield from owners(child, f"{above}/{child.name}" if above else child.name)


def truth(model: Any, values: Mapping[str, np.ndarray]) -> dict[str, list[tuple[str, Any, Any]]]:
    """Each dataset's variable, found by its values: all of (layer path, variable, layer) that hold them."""
    by_value: dict[bytes, list[tuple[str, Any, Any]]] = {}
    for variable, path, layer in owners(model):
        by_value.setdefault(np.asarray(variable).tobytes(), []).append((path, variable, layer))
    return {structure: by_value[np.asarray(value).tobytes()] for structure, value in values.items()}


def check(model: Any, path: Path) -> tuple[list[Naming], bool]:
    """Save, name, and compare everything named with the live model."""
    fill(model)
    assert open_weights(model).notes == ()  # Keras saves every weight of its own layers
    if path.suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)
    stored, names, config, values = scan(path)
    namings, ordered, stale = name_objects(stored, names, config)
    assert stale == {}
    assert sorted(n.structure for n in namings) == sorted(s.structure for s in stored)
    real = truth(model, values)
    for naming in namings:
        found = real[naming.structure]
        assert naming.layer is None or naming.layer in {layer for layer, _, _ in found}
        if naming.name is not None:
            agreeing = [(v, one) for layer, v, one in found if (layer, v.name) == (naming.layer, naming.name)]
            assert agreeing, (naming, found)
            variable, layer = agreeing[0]
            assert naming.layer_class == type(layer).__name__
            # Scales of float8 are written by the gradient's place; Keras has them among the trainable ones.
            trained = variable.trainable and not variable.overwrite_with_gradient
            if naming.trainable is not None:
                assert naming.trainable == trained
            if trained:
                assert naming.kind is Kind.PARAMETER
            elif type(layer).__name__ in ("BatchNormalization", "Normalization"):
                assert naming.kind is Kind.STATISTIC or naming.name in ("gamma", "beta")
            assert naming.index == int(naming.structure.rpartition("/")[2])
    return namings, ordered


IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(EXAMPLES)]


@pytest.mark.parametrize(("name", "make", "shapes"), EXAMPLES, ids=IDS)
def test_an_archive_names_every_weight(name: str, make: Make, shapes: Any, tmp_path: Path) -> None:
    namings, ordered = check(functional(make, shapes), tmp_path / "m.keras")
    assert ordered
    for naming in namings:
        assert naming.name is not None, name
        assert naming.kind is not Kind.UNKNOWN
        assert naming.layer is not None
        assert naming.known_from is Source.CONFIG


@pytest.mark.parametrize(("name", "make", "shapes"), EXAMPLES, ids=IDS)
def test_a_bare_weights_file_names_nothing_wrongly(name: str, make: Make, shapes: Any, tmp_path: Path) -> None:
    namings, ordered = check(functional(make, shapes), tmp_path / "m.weights.h5")
    assert not ordered or not namings
    for naming in namings:
        if naming.name is None:
            assert name in UNKNOWN_BY_KEY, naming
            assert naming.known_from is None
        else:
            assert naming.known_from is Source.KEY


def names_of(namings: list[Naming]) -> list[str]:
    return [f"{n.layer}/{n.name}" for n in namings if n.kind is not Kind.OPTIMIZER]


def nested() -> Any:
    inner = keras.Sequential([keras.Input(V), layers.Dense(5, name="low"), layers.BatchNormalization(name="norm")])
    inner.name = "inner"
    middle_in = keras.Input(V)
    middle = keras.Model(middle_in, layers.Dense(4, name="top")(inner(middle_in)), name="middle")
    outer_in = keras.Input(V)
    return keras.Model(outer_in, layers.Dense(3, name="head")(middle(outer_in)))


@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
def test_nested_models_give_paths(suffix: str, tmp_path: Path) -> None:
    namings, _ = check(nested(), tmp_path / f"m.{suffix}")
    assert set(names_of(namings)) == {
        "middle/inner/low/kernel",
        "middle/inner/low/bias",
        "middle/inner/norm/gamma",
        "middle/inner/norm/beta",
        "middle/inner/norm/moving_mean",
        "middle/inner/norm/moving_variance",
        "middle/top/kernel",
        "middle/top/bias",
        "head/kernel",
        "head/bias",
    }


def test_the_order_is_the_models(tmp_path: Path) -> None:
    x = keras.Input(V)
    y = layers.Dense(6, name="first")(x)
    y = layers.BatchNormalization(name="second", center=False, scale=False)(y)
    model = keras.Model(x, layers.Dense(6, name="third")(layers.PReLU(name="between")(y)))
    namings, ordered = check(model, tmp_path / "m.keras")
    assert ordered
    assert list(dict.fromkeys(n.layer for n in namings)) == ["first", "second", "between", "third"]


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_layer_in_a_nested_and_the_outer_model_is_named_where_it_is_stored(inner_first: bool, tmp_path: Path) -> None:
    shared = layers.Dense(6, name="shared")
    inner_in = keras.Input(V)
    inner = keras.Model(inner_in, layers.Dense(6, name="own")(shared(inner_in)), name="inner")
    x = keras.Input(V)
    y = shared(inner(x)) if inner_first else inner(shared(x))
    model = keras.Model(x, layers.Dense(2, name="head")(layers.Dense(6, name="extra")(y)))
    namings, _ = check(model, tmp_path / "m.keras")
    place = "inner/shared" if inner_first else "shared"
    assert set(names_of(namings)) == {
        f"{layer}/{name}" for layer in (place, "inner/own", "head", "extra") for name in ("kernel", "bias")
    }


def test_a_shared_layer_is_named_once(tmp_path: Path) -> None:
    shared = layers.Dense(6, name="shared")
    x = keras.Input(V)
    namings, _ = check(keras.Model(x, layers.Dense(2)(shared(shared(x)))), tmp_path / "m.keras")
    assert names_of(namings)[:2] == ["shared/kernel", "shared/bias"]
    assert len(namings) == 4


def test_same_shaped_layers_follow_their_names(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input(V)] + [layers.Dense(6, name=n) for n in "dbca"])
    namings, _ = check(model, tmp_path / "m.keras")
    assert [n.layer for n in namings[::2]] == list("dbca")


@keras.saving.register_keras_serializable("ours")
class Block(layers.Layer):
    """Sublayers in attributes and in a list, and weights of its own; its configuration holds none of them."""

    def build(self, shape: Any) -> None:
        self.gain = self.add_weight(shape=(shape[-1],), name="gain")
        self.dense = layers.Embedding(7, 3, name="table")
        self.items = [layers.Dense(4, name="a"), layers.Dense(4, name="b")]
        self.dense.build((None, 3))
        for item in self.items:
            item.build((None, 6))

    def call(self, x: Any) -> Any:
        return x * self.gain


@keras.saving.register_keras_serializable("ours")
class Wrapping(keras.Model):
    """A subclassed model whose configuration holds its sublayers' configurations."""

    def __init__(self, encoder: Any, head: Any, **more: Any) -> None:
        super().__init__(**more)
        self.encoder = encoder
        self.head = head
        self.projection = layers.Dense(3, name="hidden")

    def call(self, x: Any) -> Any:
        return self.projection(self.head(self.encoder(x)))

    def get_config(self) -> dict[str, Any]:
        one = keras.saving.serialize_keras_object
        return {**super().get_config(), "encoder": one(self.encoder), "parts": {"x": [one(self.head)]}}


def test_the_weights_of_a_users_class_stay_unknown(tmp_path: Path) -> None:
    x = keras.Input(V)
    model = keras.Model(x, layers.Dense(2, name="after")(Block(name="block")(x)))
    namings, _ = check(model, tmp_path / "m.keras")
    by_layer = {n.layer: n for n in namings}
    assert by_layer.keys() == {"after", "block", "block/table", "block/a", "block/b"}
    assert by_layer["block"].layer_class == "Block"
    assert by_layer["after"].name == "bias"
    for layer in by_layer.keys() - {"after"}:
        assert (by_layer[layer].name, by_layer[layer].kind) == (None, Kind.UNKNOWN)
        assert by_layer[layer].known_from is None


def test_a_subclassed_models_layers_are_found_in_its_configuration(tmp_path: Path) -> None:
    model = Wrapping(nested(), layers.Dense(6, name="head_of_it"))
    model(np.zeros((1, 6), "float32"))
    namings, ordered = check(model, tmp_path / "m.keras")
    assert not ordered
    named = {n.layer for n in namings if n.known_from is Source.CONFIG}
    encoder = model.encoder.name
    assert named == {
        f"{encoder}/middle/inner/low",
        f"{encoder}/middle/inner/norm",
        f"{encoder}/middle/top",
        f"{encoder}/head",
        "head_of_it",
    }
    # It sorts after `layers` and lies in that list under its class's key; the configuration does not have it.
    assert [n.known_from for n in namings if n.layer == "hidden"] == [Source.KEY, Source.KEY]


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
def test_a_quantized_model_is_named(mode: str, suffix: str, tmp_path: Path) -> None:
    x = keras.Input(S)
    y = layers.Dense(8, name="dense")(layers.MultiHeadAttention(2, 4, name="mha")(x, x))
    model = keras.Model(x, layers.Embedding(5, 4, name="table")(layers.Flatten()(y)))
    model.quantize(mode)
    namings, _ = check(model, tmp_path / f"m.{suffix}")
    assert all(n.name for n in namings if n.layer in ("dense", "table"))
    assert all(n.name for n in namings)
    integers = [n.kind for n in namings if n.name == "kernel"]
    assert set(integers) == {Kind.PARAMETER if mode == "float8" else Kind.QUANTIZATION}


def test_lora_takes_the_kernel_out_of_training(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input(V), layers.Dense(4, name="dense")])
    model.layers[0].enable_lora(2)
    model.save(tmp_path / "m.keras")
    stored, names, config, _ = scan(tmp_path / "m.keras")
    namings, *_ = name_objects(stored, names, config)
    assert [(n.name, n.kind, n.trainable) for n in namings] == [
        ("kernel", Kind.PARAMETER, False),
        ("bias", Kind.PARAMETER, True),
    ]


def test_a_frozen_layer_is_not_trainable(tmp_path: Path) -> None:
    x = keras.Input(S)
    y = layers.MultiHeadAttention(2, 3, name="frozen_mha")(x, x)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="frozen_both")(y)
    y = layers.BatchNormalization(name="frozen_norm", trainable=False)(y)
    model = keras.Model(x, layers.LSTM(3, name="live")(layers.GRU(3, name="frozen_gru", return_sequences=True)(y)))
    for layer in model.layers:
        layer.trainable = not layer.name.startswith("frozen")
    namings, _ = check(model, tmp_path / "m.keras")
    assert {n.trainable for n in namings if n.layer and n.layer.startswith("frozen")} == {False}
    assert {n.trainable for n in namings if n.layer == "live/lstm_cell"} == {True}


def test_bfloat16_is_a_float(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input(V), layers.Dense(4, name="dense", dtype="bfloat16")])
    model.save(tmp_path / "m.keras")
    stored, names, config, _ = scan(tmp_path / "m.keras")
    assert {s.dtype for s in stored} == {"bfloat16"}
    namings, *_ = name_objects(stored, names, config)
    assert names_of(namings) == ["dense/kernel", "dense/bias"]


@pytest.mark.parametrize(
    ("optimizer", "named"),
    [
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), ["iteration", "learning_rate"]),
        (lambda: keras.optimizers.Adam(0.1, use_ema=True), ["iteration", "learning_rate"]),
        (lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)), ["iteration"]),
    ],
)
def test_the_optimizer_is_the_optimizers(optimizer: Make, named: list[str], tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input(V), layers.Dense(4)])
    model.compile(optimizer(), "mse", metrics=["mae"])
    model.fit(np.zeros((2, 6)), np.zeros((2, 4)), verbose=0)
    model.save(tmp_path / "m.keras")
    stored, names, config, _ = scan(tmp_path / "m.keras")
    namings, ordered, _ = name_objects(stored, names, config)
    assert ordered
    slots = [n for n in namings if n.kind is Kind.OPTIMIZER]
    assert [n.structure for n in slots] == [f"optimizer/vars/{i}" for i in range(len(slots))]
    assert [n.name for n in slots if n.name] == named
    assert [v.name for v in model.optimizer.variables][: len(named)] == [
        {"iteration": "iteration"}.get(name, name) for name in named
    ]
    assert {n.kind for n in namings if n not in slots} == {Kind.PARAMETER}


@pytest.mark.parametrize("mangled", ["unnamed", "no ordinals left"])
def test_files_without_names_follow_class_and_number(mangled: str, tmp_path: Path) -> None:
    model = nested()
    model.save(tmp_path / "m.keras")
    stored, _, config, _ = scan(tmp_path / "m.keras")
    if mangled == "no ordinals left":
        stored = [s for s in stored if not s.structure.startswith("layers/dense/")]
    namings, *_ = name_objects(stored, {}, config)
    assert set(names_of(namings)) == {
        f"{layer}/{name}"
        for layer, names in {
            "middle/inner/low": ("kernel", "bias"),
            "middle/inner/norm": ("gamma", "beta", "moving_mean", "moving_variance"),
            "middle/top": ("kernel", "bias"),
            "head": ("kernel", "bias") if mangled == "unnamed" else (),
        }.items()
        for name in names
    }


def test_a_compiled_subclassed_model_keeps_its_optimizer_apart(tmp_path: Path) -> None:
    model = Wrapping(layers.Dense(6, name="enc"), layers.Dense(6, name="hd"))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((2, 6)), np.zeros((2, 3)), verbose=0)
    model.save(tmp_path / "m.keras")
    stored, names, config, _ = scan(tmp_path / "m.keras")
    namings, *_ = name_objects(stored, names, config)
    assert {n.kind for n in namings} == {Kind.OPTIMIZER, Kind.PARAMETER}
    assert {n.structure.split("/")[0] for n in namings if n.kind is Kind.OPTIMIZER} == {"optimizer"}
