"""Run by the tests in a process of its own: fill layers of Keras 3 from files of old ones, and compare their outputs.

    python conversion_check.py FOLDER

The files are written with plain h5py; what the old layers compute comes from plain NumPy. Prints one JSON object:
facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers
from old_layers import (
    conv_lstm,
    correlation,
    cudnn_gru,
    cudnn_lstm,
    gru,
    lstm,
    old_hard_sigmoid,
    sigmoid,
    simple_rnn,
    theano_convolution,
    theano_transposed_convolution,
)

from weightkit import open_weights
from weightkit.transforms.loading import (
    Conversion,
    FlattenedMap,
    Resizing,
    conversions,
    facts_of,
    flattened_map,
    resized,
)

FOLDER = Path(sys.argv[1])
FACTS: dict[str, object] = {}
RANDOM = np.random.default_rng(7)
INPUTS, UNITS = 5, 3
X = RANDOM.normal(size=(2, 4, INPUTS))


def drawn(*shape):
    """Large enough that a hard sigmoid is at its ends now and then."""
    return RANDOM.normal(size=shape).astype("f4")


def write(weights, *, version, backend="tensorflow", config=None, name="old"):
    """A legacy file of one layer; a whole model where there is a configuration."""
    path = FOLDER / "old.h5"
    with h5py.File(path, "w") as file:
        root = file if config is None else file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode()]
        root.attrs["keras_version"], root.attrs["backend"] = version.encode(), backend.encode()
        if config is not None:
            one = {"class_name": config[0], "config": {"name": name, **config[1]}}
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [one]}).encode()
        group = root.create_group(name)
        group.attrs["weight_names"] = [key.encode() for key in weights]
        for key, values in weights.items():
            group[key] = values
    return path


def load(layer, path, *, hard_sigmoid="keep", target=(), source=()):
    """Fill a layer from the file; returns the notes. ``target`` and ``source`` are what the user says of them."""
    with open_weights(path) as store, open_weights(layer) as filled:
        ours, theirs = list(filled), list(store)
        known = {"target": facts_of(filled, ours, **dict(target)), "source": facts_of(store, theirs, **dict(source))}
        made = conversions(ours, theirs, **known, hard_sigmoid=hard_sigmoid)
        by_name = {ref.name: ref for ref in theirs}
        for ref in ours:
            conversion = made.of.get(ref) or Conversion.of(by_name[ref.name])
            filled.variable(ref).assign(conversion(*map(store.read, conversion.sources)))
    return made.notes


def build(layer, shape):
    layer.build((None, *shape))
    return layer


def fact(name, layer, x, wanted, *, close=1e-5):
    got = np.asarray(layer(x.astype("f4")))
    FACTS[name] = (
        True if got.shape == wanted.shape and np.abs(got - wanted).max() < close else f"{np.abs(got - wanted).max()}"
    )


def keras_1(gates, name="old"):
    """By the names of Keras 1, in the order in which its LSTM lists them."""
    order = [gate for gate in "icfozrh" if gate in gates]
    return {f"{name}_{w}_{gate}": array for gate in order for w, array in zip("WUb", gates[gate], strict=True)}


def gates_of(names, units=UNITS):
    return {gate: (drawn(INPUTS, units), drawn(units, units), drawn(units)) for gate in names}


def try_recurrent():
    for activation, called in ((sigmoid, "sigmoid"), (old_hard_sigmoid, "hard_sigmoid")):
        how = {"hard_sigmoid": "rescale"} if called == "hard_sigmoid" else {}
        config = {"inner_activation": called}
        gates = gates_of("ifco")
        layer = build(layers.LSTM(UNITS, recurrent_activation=called), (None, INPUTS))
        notes = load(layer, write(keras_1(gates), version="1.2.2", config=("LSTM", config)), **how)
        fact(f"recurrent: an LSTM of Keras 1 with {called}", layer, X, lstm(X, gates, activation))
        FACTS[f"recurrent: nothing is to be said about {called}"] = notes == () or notes
        gates = gates_of("zrh")
        layer = build(layers.GRU(UNITS, recurrent_activation=called, reset_after=False), (None, INPUTS))
        load(layer, write(keras_1(gates), version="1.2.2", config=("GRU", config)), **how)
        fact(f"recurrent: a GRU of Keras 1 with {called}", layer, X, gru(X, gates, activation))
        joined = {
            f"old/{name}:0": np.concatenate([gates[gate][at] for gate in "zrh"], axis=-1)
            for at, name in enumerate(("kernel", "recurrent_kernel", "bias"))
        }
        config = ("GRU", {"recurrent_activation": called})
        load(layer, write(joined, version="2.1.6", config=config), **how)
        fact(f"recurrent: a GRU of Keras 2 with {called}", layer, X, gru(X, gates, activation))
    gates = gates_of("ifco")
    layer = build(layers.LSTM(UNITS, recurrent_activation="hard_sigmoid"), (None, INPUTS))
    notes = load(layer, write(keras_1(gates), version="1.2.2"))
    got = np.abs(np.asarray(layer(X.astype("f4"))) - lstm(X, gates, old_hard_sigmoid)).max()
    FACTS["recurrent: a hard_sigmoid that is kept gives other outputs, and that is said"] = (
        got > 1e-3 and "rescale" in " ".join(notes)
    )
    load(layer, write(keras_1(gates), version="1.2.2"), hard_sigmoid="rescale")
    fact(
        "recurrent: the default of Keras 1 is known without a configuration", layer, X, lstm(X, gates, old_hard_sigmoid)
    )
    w, u, b = drawn(INPUTS, UNITS), drawn(UNITS, UNITS), drawn(UNITS)
    layer = build(layers.SimpleRNN(UNITS), (None, INPUTS))
    load(layer, write({"old_W": w, "old_U": u, "old_b": b}, version="1.2.2"))
    fact("recurrent: a SimpleRNN of Keras 1", layer, X, simple_rnn(X, w, u, b))
    try_bidirectional()


def try_bidirectional():
    sides = {"forward_old": gates_of("ifco"), "backward_old": gates_of("ifco")}
    weights = {key: array for side, gates in sides.items() for key, array in keras_1(gates, side).items()}
    layer = build(layers.Bidirectional(layers.LSTM(UNITS)), (None, INPUTS))
    load(layer, write(weights, version="1.2.2", name="bidirectional_1"))
    forward, backward = (lstm(x, gates, sigmoid) for x, gates in zip((X, X[:, ::-1]), sides.values(), strict=True))
    fact("recurrent: a Bidirectional of Keras 1", layer, X, np.concatenate([forward, backward], axis=-1))


def try_cudnn():
    for units in (UNITS, INPUTS):  # a square kernel too, which no shape tells from its transpose
        kernel, recurrent, bias = drawn(INPUTS, 4 * units), drawn(units, 4 * units), drawn(8 * units)
        weights = {"old/kernel:0": kernel, "old/recurrent_kernel:0": recurrent, "old/bias:0": bias}
        layer = build(layers.LSTM(units), (None, INPUTS))
        load(layer, write(weights, version="2.1.6"))
        fact(f"cudnn: CuDNNLSTM into LSTM of {units}", layer, X, cudnn_lstm(X, kernel, recurrent, bias))
        kernel, recurrent, bias = drawn(INPUTS, 3 * units), drawn(units, 3 * units), drawn(6 * units)
        weights = {"old/kernel:0": kernel, "old/recurrent_kernel:0": recurrent, "old/bias:0": bias}
        layer = build(layers.GRU(units), (None, INPUTS))
        load(layer, write(weights, version="2.1.6"))
        fact(f"cudnn: CuDNNGRU into GRU of {units}", layer, X, cudnn_gru(X, kernel, recurrent, bias))
    try_into_cudnn()


def try_into_cudnn():
    """The other way: files are filled from layers of Keras 3."""
    for made, gates, old in ((layers.LSTM(UNITS), 4, cudnn_lstm), (layers.GRU(UNITS), 3, cudnn_gru)):
        layer = build(made, (None, INPUTS))
        for variable in layer.trainable_variables:
            variable.assign(drawn(*variable.shape))
        shapes = {
            "kernel": (INPUTS, gates * UNITS),
            "recurrent_kernel": (UNITS, gates * UNITS),
            "bias": (2 * gates * UNITS,),
        }
        path = write({f"old/{name}:0": np.zeros(shape, "f4") for name, shape in shapes.items()}, version="2.1.6")
        with open_weights(path) as target, open_weights(layer) as source:
            ours, theirs = list(target), list(source)
            found = conversions(ours, theirs, target=facts_of(target, ours), source=facts_of(source, theirs))
            values = {ref.name: one(*map(source.read, one.sources)) for ref, one in found}
        wanted = old(X, values["kernel"], values["recurrent_kernel"], values["bias"])
        fact(f"cudnn: {type(layer).__name__} into its CuDNN layer", layer, X, wanted)


def try_convolutions():
    images = RANDOM.normal(size=(2, 6, 7, 4))
    kernel, bias = drawn(3, 2, 4, 5), drawn(5)
    theano, last = {"version": "2.0.8", "backend": "theano"}, {"old/bias:0": bias}
    cases = {
        "Conv1D": (layers.Conv1D(5, 3), RANDOM.normal(size=(2, 8, 4)), drawn(3, 4, 5), theano_convolution),
        "Conv2D": (layers.Conv2D(5, (3, 2)), images, kernel, theano_convolution),
        "Conv3D": (
            layers.Conv3D(5, (2, 3, 2)),
            RANDOM.normal(size=(1, 4, 5, 4, 2)),
            drawn(2, 3, 2, 2, 5),
            theano_convolution,
        ),
        "Conv2DTranspose": (
            layers.Conv2DTranspose(5, (3, 2)),
            images,
            drawn(3, 2, 5, 4),
            theano_transposed_convolution,
        ),
    }
    for name, (layer, x, values, compute) in cases.items():
        build(layer, x.shape[1:])
        path = write({"old/kernel:0": values, **last}, config=(name, {}), **theano)
        load(layer, path)
        fact(f"convolution: {name} of Theano", layer, x, compute(x, values) + bias, close=1e-4)
    for backend, compute in (("theano", theano_convolution), ("tensorflow", correlation)):
        for ordering, stored in (("th", kernel.transpose(3, 2, 0, 1)), ("tf", kernel)):
            layer = build(layers.Conv2D(5, (3, 2)), images.shape[1:])
            config = ("Convolution2D", {"dim_ordering": ordering})
            load(layer, write({"old_W": stored, "old_b": bias}, version="1.2.2", backend=backend, config=config))
            wanted = compute(images, kernel) + bias
            fact(f"convolution: Convolution2D of Keras 1 {ordering} {backend}", layer, images, wanted, close=1e-4)
        gates = {gate: (drawn(3, 3, 4, UNITS), drawn(3, 3, UNITS, UNITS), drawn(UNITS)) for gate in "ifco"}
        first = {gate: (w.transpose(3, 2, 0, 1), u.transpose(3, 2, 0, 1), b) for gate, (w, u, b) in gates.items()}
        film = RANDOM.normal(size=(1, 3, 4, 5, 4))
        layer = build(layers.ConvLSTM2D(UNITS, 3, padding="same", recurrent_activation="hard_sigmoid"), film.shape[1:])
        config = ("ConvLSTM2D", {"dim_ordering": "th", "inner_activation": "hard_sigmoid"})
        path = write(keras_1(first), version="1.2.2", backend=backend, config=config)
        load(layer, path, hard_sigmoid="rescale")
        wanted = conv_lstm(film, gates, old_hard_sigmoid, compute)
        fact(f"convolution: ConvLSTM2D of Keras 1 {backend}", layer, film, wanted, close=1e-4)
    depthwise = drawn(3, 2, 4, 1)
    layer = build(layers.DepthwiseConv2D((3, 2), use_bias=False), images.shape[1:])
    load(
        layer,
        write({"old/depthwise_kernel:0": depthwise}, config=("DepthwiseConv2D", {}), version="2.2.4", backend="theano"),
    )
    each = [correlation(images[..., c : c + 1], depthwise[:, :, c : c + 1]) for c in range(4)]
    # Keras' Theano backend mirrors these by itself: they compute a correlation.
    fact("convolution: a DepthwiseConv2D of Theano", layer, images, np.concatenate(each, axis=-1), close=1e-4)


def try_other_layers():
    gamma, beta, mean, variance = drawn(4), drawn(4), drawn(4), np.abs(drawn(4))
    x = RANDOM.normal(size=(3, 4))
    layer = build(layers.BatchNormalization(epsilon=1e-3), (4,))
    names = ("gamma", "beta", "running_mean", "running_std")
    arrays = (gamma, beta, mean, variance)
    load(layer, write({f"old_{name}": array for name, array in zip(names, arrays, strict=True)}, version="1.2.2"))
    wanted = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    fact("other: running_std of Keras 1 is a variance", layer, x, wanted, close=1e-4)
    table = drawn(6, 3)
    layer = build(layers.Embedding(6, 3), (None,))
    load(layer, write({"old_W": table}, version="1.2.2", config=("Embedding", {})))
    FACTS["other: an Embedding of Keras 1"] = bool((np.asarray(layer(np.arange(6))) == table).all())


def try_flattened():
    """A Dense that was trained on maps with channels first, in a model whose maps have them last."""
    image, kernel, bias = RANDOM.normal(size=(2, 5, 6, 3)), drawn(3 * 4 * 2, 5), drawn(5)
    model = keras.Sequential(
        [
            keras.Input(image.shape[1:]),
            layers.Conv2D(2, 3),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5, name="d"),
        ]
    )
    found = flattened_map(json.loads(model.to_json()), "d")
    FACTS["flattened: the shape is in a configuration of Keras 3"] = found == FlattenedMap("channels_last", (3, 4, 2))
    path = write({"old/kernel:0": kernel, "old/bias:0": bias}, version="2.1.5")
    notes = load(model.layers[-1], path, target={"flattened": found}, source={"data_format": "channels_first"})
    features = np.asarray(model.layers[0](image.astype("f4")))
    wanted = np.moveaxis(features, -1, 1).reshape(2, -1) @ kernel + bias
    fact("flattened: a Dense of maps with channels first", model, image, wanted)
    FACTS["flattened: nothing is left to be said"] = notes == ()
    first = np.moveaxis(features, -1, 1)
    same = layers.Flatten(data_format="channels_first")(first) == layers.Flatten()(features)
    FACTS["flattened: a Flatten of channels first puts them last itself"] = bool(np.asarray(same).all())


def resize(name, layer_name, values, shape, class_name, **how):
    """The values in another shape, by way of a file."""
    path = write({f"old/{name}:0": values}, version="2.15.0", config=(class_name, {}))
    made = {"structure": "x", "layer": layer_name, "name": name, "shape": shape, "layer_class": class_name}
    with open_weights(path) as source:
        (theirs,) = source
        return resized(replace(theirs, **made), Conversion.of(theirs), Resizing(**how))(source.read(theirs))


def try_resized():
    for before, after in ((4, 7), (7, 3), (14, 24)):
        grid = drawn(before, before, 3)
        got = resize("pos_embed", "vit", grid.reshape(1, -1, 3), (1, after**2, 3), "Vit")
        wanted = keras.ops.image.resize(grid, (after, after), interpolation="bilinear", antialias=False)
        FACTS[f"resized: positions {before} to {after} are as Keras resizes images"] = bool(
            np.allclose(got.reshape(after, after, 3), wanted, atol=1e-5)
        )
    gray = RANDOM.normal(size=(2, 6, 6, 1)).astype("f4")
    for before, after in ((3, 1), (1, 3), (3, 4), (4, 3)):
        kernel = drawn(3, 3, before, 5)
        outputs = []
        for count in (before, after):
            layer = build(layers.Conv2D(5, 3), (6, 6, count))
            shape = (3, 3, count, 5)
            layer.kernel.assign(kernel if count == before else resize("kernel", "conv1", kernel, shape, "Conv2D"))
            outputs.append(np.asarray(layer(np.repeat(gray, count, axis=-1))))
        FACTS[f"resized: {before} channels to {after} answer alike to gray"] = bool(np.allclose(*outputs, atol=1e-4))
    table = drawn(10, 4)
    layer = build(layers.Embedding(12, 4), (None,))
    layer.embeddings.assign(resize("embeddings", "embedding", table, (12, 4), "Embedding"))
    got = np.asarray(layer(np.arange(12)))
    FACTS["resized: a vocabulary keeps its vectors, and new words have their mean"] = bool(
        (got[:10] == table).all() and np.allclose(got[10:], table.mean(axis=0), atol=1e-6)
    )


warnings.simplefilter("ignore")
keras.utils.set_random_seed(1)
try_recurrent()
try_cudnn()
try_convolutions()
try_other_layers()
try_flattened()
try_resized()
sys.stdout.write(json.dumps(FACTS) + "\n")
