"""Names of the weights of version-3 files, against live models and files that Keras wrote."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers

pytestmark = [
    # Keras 3.15 on TensorFlow 2.21 calls NumPy and TensorFlow in ways that those deprecate.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # Layers without a quantised form say so where a model is quantised.
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning"),
    # keras.layers.CutMix and others were not called, so that Keras says they are not built.
    pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning"),
]

Make = Callable[[], Any]
V, S, I, G = (6,), (5, 6), (8, 8, 3), (4, 8, 8, 3)  # inputs: a vector, a sequence, an image, a volume

TEXT = {"shape": (1,), "dtype": "string"}
LABELLED = {"images": {"shape": I}, "labels": {"shape": (2,)}}

# One of each class; where a class appears twice, the second setting saves something else.
EXAMPLES: list[tuple[str, Make, Any]] = [
    ("Activation", lambda: layers.Activation("relu"), (V,)),
    ("ActivityRegularization", layers.ActivityRegularization, (V,)),
    *((f"Adaptive{how}Pooling{r}D", lambda how=how, r=r: getattr(layers, f"Adaptive{how}Pooling{r}D")(2), (s,))
      for how in ("Average", "Max") for r, s in ((1, S), (2, I), (3, G))),
    ("Add", layers.Add, (V, V)),
    ("AdditiveAttention", layers.AdditiveAttention, (S, S)),
    ("AlphaDropout", lambda: layers.AlphaDropout(0.5, seed=1), (V,)),
    ("Attention", lambda: layers.Attention(use_scale=True, score_mode="concat", dropout=0.1), (S, S)),
    ("AugMix", layers.AugMix, (I,)),
    ("AutoContrast", layers.AutoContrast, (I,)),
    ("Average", layers.Average, (V, V)),
    *((f"{how}Pooling{r}D", lambda how=how, r=r: getattr(layers, f"{how}Pooling{r}D")(2), (s,))
      for how in ("Average", "Max") for r, s in ((1, S), (2, I), (3, G))),
    ("BatchNormalization", layers.BatchNormalization, (V,)),
    ("BatchNormalization", lambda: layers.BatchNormalization(scale=False), (V,)),
    ("Bidirectional", lambda: layers.Bidirectional(layers.GRU(3)), (S,)),
    ("Bidirectional", lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.GRU(
        3, go_backwards=True, name="back")), (S,)),
    ("CategoryEncoding", lambda: layers.CategoryEncoding(4, output_mode="multi_hot"), (V,)),
    ("CenterCrop", lambda: layers.CenterCrop(2, 2), (I,)),
    ("Concatenate", layers.Concatenate, (V, V)),
    ("ContrastLimitedAdaptiveHistogramEqualization",
     layers.ContrastLimitedAdaptiveHistogramEqualization, (I,)),
    *((f"Conv{r}D{t}", lambda r=r, t=t: getattr(layers, f"Conv{r}D{t}")(4, 2), (s,))
      for t in ("", "Transpose") for r, s in ((1, S), (2, I), (3, G))),
    *((f"ConvLSTM{r}D", lambda r=r: getattr(layers, f"ConvLSTM{r}D")(4, 2, dropout=0.1), (s,))
      for r, s in ((1, (3, 8, 2)), (2, (3, 8, 8, 2)), (3, (3, 4, 4, 4, 2)))),
    *((f"Cropping{r}D", getattr(layers, f"Cropping{r}D"), (s,)) for r, s in ((1, S), (2, I), (3, G))),
    ("CutMix", layers.CutMix, LABELLED),
    ("Dense", lambda: layers.Dense(4), (V,)),
    ("Dense", lambda: layers.Dense(4, use_bias=False), (V,)),
    ("DepthwiseConv1D", lambda: layers.DepthwiseConv1D(2), (S,)),
    ("DepthwiseConv2D", lambda: layers.DepthwiseConv2D(2), (I,)),
    ("Discretization", lambda: layers.Discretization([0.0, 1.0]), (V,)),
    ("Dot", lambda: layers.Dot(1), (V, V)),
    ("Dropout", lambda: layers.Dropout(0.5, seed=3), (V,)),
    ("ELU", layers.ELU, (V,)),
    ("EinsumDense", lambda: layers.EinsumDense("abc,cde->abde", (5, 2, 3), bias_axes="de"), (S,)),
    ("Embedding", lambda: layers.Embedding(7, 3), (V,)),
    ("Equalization", layers.Equalization, (I,)),
    ("Flatten", layers.Flatten, (S,)),
    ("GRU", lambda: layers.GRU(3, stateful=False, recurrent_dropout=0.2), (S,)),
    ("GRU", lambda: layers.GRU(3, reset_after=False), (S,)),
    ("GRUCell", lambda: layers.RNN(layers.GRUCell(3)), (S,)),
    ("GaussianDropout", lambda: layers.GaussianDropout(0.5), (V,)),
    ("GaussianNoise", lambda: layers.GaussianNoise(0.5), (V,)),
    *((f"Global{how}Pooling{r}D", getattr(layers, f"Global{how}Pooling{r}D"), (s,))
      for how in ("Average", "Max") for r, s in ((1, S), (2, I), (3, G))),
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
    ("MaxNumBoundingBoxes", lambda: layers.MaxNumBoundingBoxes(2), {"boxes": {"shape": (3, 4)}, "labels": {"shape": (3,)}}),
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
    ("RandAugment", layers.RandAugment, (I,)),
    *((f"Random{what}", lambda what=what, a=a: getattr(layers, f"Random{what}")(*a), (I,)) for what, a in (
        ("Brightness", (0.5,)), ("ColorDegeneration", (0.5,)), ("ColorJitter", ()), ("Contrast", (0.5,)),
        ("Crop", (2, 2)), ("ElasticTransform", ()), ("Erasing", ()), ("Flip", ()), ("GaussianBlur", ()),
        ("Grayscale", ()), ("Hue", (0.5,)), ("Invert", ()), ("Perspective", ()), ("Posterization", (4,)),
        ("Rotation", (0.5,)), ("Saturation", (0.5,)), ("Sharpness", (0.5,)), ("Shear", ()),
        ("Translation", (0.5, 0.5)), ("Zoom", (0.5,)))),
    ("ReLU", layers.ReLU, (V,)),
    ("RepeatVector", lambda: layers.RepeatVector(2), (V,)),
    ("Rescaling", lambda: layers.Rescaling(0.5), (V,)),
    ("Reshape", lambda: layers.Reshape((-1,)), (S,)),
    ("Resizing", lambda: layers.Resizing(2, 2), (I,)),
    ("ReversibleEmbedding", lambda: layers.ReversibleEmbedding(7, 3), (V,)),
    ("ReversibleEmbedding", lambda: layers.ReversibleEmbedding(7, 3, tie_weights=False), (V,)),
    ("STFTSpectrogram", lambda: layers.STFTSpectrogram(window=None), ((4000, 1),)),
    ("SeparableConv1D", lambda: layers.SeparableConv1D(4, 2), (S,)),
    ("SeparableConv2D", lambda: layers.SeparableConv2D(4, 2), (I,)),
    ("SimpleRNN", lambda: layers.SimpleRNN(3), (S,)),
    ("SimpleRNNCell", lambda: layers.RNN(layers.SimpleRNNCell(3)), (S,)),
    ("Softmax", layers.Softmax, (V,)),
    ("Solarization", layers.Solarization, (I,)),
    *((f"SpatialDropout{r}D", lambda r=r: getattr(layers, f"SpatialDropout{r}D")(0.5), (s,))
      for r, s in ((1, S), (2, I), (3, G))),
    ("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Conv2D(4, 2)), (I,)),
    ("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Embedding(7, 3)), (V,)),
    ("StackedRNNCells", lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(2)])), (S,)),
    ("StringLookup", lambda: layers.StringLookup(vocabulary=["a", "b"]), (TEXT,)),
    ("Subtract", layers.Subtract, (V, V)),
    ("TextVectorization", lambda: layers.TextVectorization(vocabulary=["a", "b"]), (TEXT,)),
    ("TimeDistributed", lambda: layers.TimeDistributed(layers.Dense(3)), (S,)),
    ("UnitNormalization", layers.UnitNormalization, (V,)),
    *((f"UpSampling{r}D", getattr(layers, f"UpSampling{r}D"), (s,)) for r, s in ((1, S), (2, I), (3, G))),
    *((f"ZeroPadding{r}D", getattr(layers, f"ZeroPadding{r}D"), (s,)) for r, s in ((1, S), (2, I), (3, G))),
]

NOT_TRIED = {
    "Layer": "abstract: it has no call",
    "Wrapper": "abstract: it has no call",
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
    own = {getattr(layers, name) for name in dir(layers)}
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
    """What a caller hands to the naming, read with plain h5py and zipfile, and the values."""
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
    """Save, name, and compare all that is named with the live model."""
    fill(model)
    if path.suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)
    stored, names, config, values = scan(path)
    namings, ordered = name_objects(stored, names, config)
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
            if naming.trainable is not None:
                assert naming.trainable == variable.trainable
            if variable.trainable:
                assert naming.kind is Kind.PARAMETER
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
