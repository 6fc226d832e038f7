# ruff: noqa: D103, PLC0415, SLF001, UP006, UP035
"""The models behind the golden files, one function a case, and how each Keras is asked about its weights.

Python 3.6; see golden_files.py. A case returns the ways to save, by suffix, and the model.
"""

import random
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

Case = Tuple[Dict[str, Callable[[Any, str], None]], Any]


def version() -> str:
    import keras

    return keras.__version__


def family() -> str:
    """The prefix of the files this interpreter makes: keras1, keras20, keras23, tfkeras215, keras315."""
    major, minor = version().split("-")[0].split(".")[:2]
    if major == "1":
        return "keras1"
    prefix = "tfkeras" if _is_tensorflows() else "keras"
    return prefix + major + minor


def begin() -> None:
    """Starts every case from the same seeds and the same automatic names."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - Keras 1 and 2 draw from it
    running_keras().backend.clear_session()
    if hasattr(running_keras().utils, "set_random_seed"):
        running_keras().utils.set_random_seed(0)


def _is_tensorflows() -> bool:
    """Whether Keras is TensorFlow's own: 2.6 to 2.15 came as a package that is used through tf.keras."""
    import keras

    return (2, 4) <= tuple(int(part) for part in keras.__version__.split(".")[:2]) < (3, 0)


def running_keras() -> Any:
    """The Keras of this interpreter: TensorFlow's own, or the package."""
    if _is_tensorflows():
        import tensorflow as tf

        return tf.keras
    import keras

    return keras


# --- what the live model says ------------------------------------------------------------------------------


def weights(model: Any) -> Iterator[Dict[str, Any]]:
    """Yields every weight: names of the layers around it, class of the innermost, own name, flag, values."""
    trained = {id(variable) for variable in model.trainable_weights}
    for chain, variable in variables(model):
        for values in _stored_values(variable, chain[-1]):
            yield {
                "layers": [layer.name for layer in chain[1:]],
                "layer_class": type(chain[-1]).__name__,
                "name": _own_name(variable, chain[-1]),
                "trainable": id(variable) in trained,
                "values": values,
            }


def variables(model: Any) -> Iterator[Tuple[List[Any], Any]]:
    """Yields every variable once, with the layers around it: the model first, its own layer last."""
    for chain in _chains(model, []):
        inside = {id(variable) for child in _children(chain[-1]) for variable in child.weights}
        for variable in chain[-1].weights:
            if id(variable) not in inside:
                yield chain, variable


def _chains(layer: Any, around: List[Any]) -> Iterator[List[Any]]:
    seen = set()
    todo = [[*around, layer]]
    while todo:
        chain = todo.pop(0)
        if id(chain[-1]) not in seen:  # a shared layer is told once, where it is met first
            seen.add(id(chain[-1]))
            yield chain
            todo = [[*chain, child] for child in _children(chain[-1])] + todo


def _children(layer: Any) -> List[Any]:
    if version()[0] == "3":
        return list(layer._layers)
    if hasattr(layer, "_flatten_layers"):
        return list(layer._flatten_layers(recursive=False, include_self=False))
    if hasattr(layer, "layers"):
        return list(layer.layers)
    if hasattr(layer, "forward_layer"):
        return [layer.forward_layer, layer.backward_layer]
    return [layer.layer] if hasattr(layer, "layer") else []


def _own_name(variable: Any, layer: Any) -> str:
    name = variable.name.split(":")[0]
    if version()[0] == "1":
        return name[len(layer.name) + 1 :] if name.startswith(layer.name + "_") else name
    return name.split("/")[-1]


def _stored_values(variable: Any, layer: Any) -> List[Any]:
    """The values as Keras saves them; with LoRA the kernel alone (.h5) or merged (version 3)."""
    if version()[0] != "3":
        return [running_keras().backend.get_value(variable)]
    import keras

    values = [variable.value]
    if getattr(layer, "lora_enabled", False) and variable.name == "kernel":
        values.append(layer.kernel)
    return [keras.ops.convert_to_numpy(value) for value in values]


# --- shared by the cases -----------------------------------------------------------------------------------


def _filled(model: Any) -> Any:
    """Gives every float weight values of its own, so that no two have one digest."""
    draw = np.random.RandomState(1)
    filled = []
    for values in model.get_weights():
        array = np.asarray(values)
        floating = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
        drawn = draw.uniform(0.1, 1.0, array.shape).astype(array.dtype) if floating else values
        filled.append(drawn)
    model.set_weights(filled)
    return model


def save(model: Any, path: str) -> None:
    if path.endswith(".keras") and version().startswith("2.12"):  # without the word it writes HDF5 under that name
        model.save(path, save_format="keras_v3")
    else:
        model.save(path)


def save_weights(model: Any, path: str) -> None:
    model.save_weights(path)


def _fit(model: Any, inputs: Any, outputs: Any) -> Any:
    keras = running_keras()
    model.compile(keras.optimizers.SGD(momentum=0.5), "mse")
    model.fit(inputs, outputs, epochs=1, verbose=0)
    return model


# --- Keras 1.2.2 -------------------------------------------------------------------------------------------


def keras1_layers() -> Case:
    from keras.layers import LSTM, BatchNormalization, Convolution1D, Dense, Highway
    from keras.models import Sequential

    layers = [
        Convolution1D(2, 2, input_shape=(4, 2)),
        BatchNormalization(),
        LSTM(2),
        Highway(),
        Dense(2, name="head/logits"),
    ]
    return {".h5": save, ".weights_only.h5": save_weights}, _filled(Sequential(layers))


def keras1_nested() -> Case:
    from keras.layers import GRU, Bidirectional, Dense, Input, MaxoutDense, TimeDistributed, merge
    from keras.models import Model, Sequential

    inner = Sequential([Dense(2, input_shape=(2,), name="deep")], name="inner")
    encoder = Sequential([Dense(2, input_shape=(2,), name="encoder_dense"), inner], name="encoder")
    encoder.layers[0].trainable = False
    left, right = Input((3, 2)), Input((2,))
    recurrent = Bidirectional(GRU(2, consume_less="gpu"))(TimeDistributed(Dense(2))(left))
    both = merge([recurrent, encoder(MaxoutDense(2)(right))], mode="concat")
    return {".h5": save}, _filled(Model([left, right], both))


# --- Keras 2.0.9 and 2.3.1 ---------------------------------------------------------------------------------


def keras2_optimizer() -> Case:
    from keras.layers import BatchNormalization, Dense
    from keras.models import Sequential

    model = _filled(Sequential([Dense(2, input_shape=(2,)), BatchNormalization(), Dense(1)]))
    return {".h5": save}, _fit(model, np.ones((4, 2)), np.ones((4, 1)))


def keras2_layers() -> Case:
    from keras.layers import LSTM, Conv1D, Dense, Embedding, LocallyConnected1D, PReLU
    from keras.models import Sequential

    layers = [
        Embedding(3, 2, input_length=4),
        Conv1D(2, 2, name="block1/conv"),
        LocallyConnected1D(2, 1),
        PReLU(),
        LSTM(2),
        Dense(1),
    ]
    return {".weights_only.h5": save_weights}, _filled(Sequential(layers))


def keras2_copied() -> Case:
    """The same layers made twice in one TensorFlow graph: scopes bear a number that layers do not."""
    from keras.layers import GRU, BatchNormalization, Bidirectional, Dense
    from keras.models import Sequential, model_from_json

    model = Sequential([Bidirectional(GRU(1), input_shape=(2, 2)), Dense(2), BatchNormalization()])
    return {".h5": save}, _filled(model_from_json(model.to_json()))


def keras2_nested() -> Case:
    from keras.layers import GRU, BatchNormalization, Bidirectional, Dense, Input, Reshape, TimeDistributed, concatenate
    from keras.models import Model, Sequential

    inner = Sequential([Dense(2, input_shape=(2,), name="deep"), BatchNormalization(name="block/bn")], name="inner")
    start = Input((4,))
    hidden = Bidirectional(GRU(1))(TimeDistributed(Dense(2))(Reshape((2, 2))(start)))
    encoder = Model(start, inner(hidden), name="encoder")
    inner.layers[0].trainable = False
    left, right = Input((4,)), Input((4,))
    shared = Dense(4, name="shared")
    both = concatenate([encoder(shared(left)), encoder(shared(right))])
    return {".h5": save}, _filled(Model([left, right], Dense(1)(both)))


# --- tf.keras 2.12 to 2.15 ---------------------------------------------------------------------------------


def _subclassed(keras: Any) -> Any:
    class Block(keras.layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.first = keras.layers.Dense(2)
            self.norm = keras.layers.BatchNormalization()

        def build(self, shape: Any) -> None:
            self.gain = self.add_weight(name="gain", shape=(2,))
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            return self.norm(self.first(inputs)) * self.gain

    class Classifier(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.layers.Dense(2)
            self.block = Block()
            self.mlp = keras.Sequential([keras.layers.Dense(2, name="named")])
            self.projection = keras.layers.Dense(1)

        def build(self, shape: Any) -> None:
            self.temperature = self.add_weight(name="temperature", shape=())
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            return self.projection(self.mlp(self.block(self.encoder(inputs)))) * self.temperature

    model = Classifier()
    model(np.zeros((1, 2), "float32"))
    return _filled(model)


def tf_subclassed() -> Case:
    saves = {".weights_only.h5": save_weights, ".weights.h5": save_weights}
    return saves, _subclassed(running_keras())


def tf_three_dense() -> Case:
    """2.13 numbered layers of one class dense, dense_2, dense_4 in version-3 files."""
    keras = running_keras()
    layers = [keras.layers.Dense(2, input_shape=(2,)), keras.layers.Dense(2), keras.layers.Dense(2)]
    return {".weights.h5": save_weights}, _filled(keras.Sequential(layers))


def tf_nested() -> Case:
    keras = running_keras()
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(2, input_shape=(2,), name="deep")], name="inner")
    inner.add(layers.BatchNormalization(name="block/bn"))
    start = keras.Input((4,))
    hidden = layers.Bidirectional(layers.LSTM(1))(
        layers.TimeDistributed(layers.Dense(2))(layers.Reshape((2, 2))(start))
    )
    encoder = keras.Model(start, inner(hidden), name="encoder")
    inner.layers[0].trainable = False
    end = keras.Input((4,))
    model = keras.Model(end, layers.Dense(1)(encoder(layers.Dense(4)(end))))
    return {".h5": save, ".keras": save}, _filled(model)


def tf_attention() -> Case:
    keras = running_keras()
    layers = keras.layers
    start = keras.Input((2, 2))
    attended = layers.LayerNormalization()(layers.MultiHeadAttention(1, 2)(start, start))
    sync = layers.experimental.SyncBatchNormalization()(attended)
    features = layers.experimental.RandomFourierFeatures(2)(layers.Flatten()(layers.Normalization()(sync)))
    return {".h5": save}, _filled(keras.Model(start, layers.Dropout(0.5)(features)))


# --- Keras 3.15 --------------------------------------------------------------------------------------------


def k3_nested() -> Case:
    import keras
    from keras import layers

    inner = keras.Sequential([layers.Dense(2, name="deep"), layers.BatchNormalization()], name="inner")
    start = keras.Input((2,))
    encoder = keras.Model(start, inner(layers.Dense(2)(start)), name="encoder")
    encoder.layers[1].trainable = False
    end = keras.Input((2,))
    model = _filled(keras.Model(end, layers.Dense(1)(encoder(layers.Dense(2)(end)))))
    return {".keras": save}, _fit(model, np.ones((4, 2)), np.ones((4, 1)))


def k3_subclassed() -> Case:
    import keras

    return {".weights.h5": save_weights}, _subclassed(keras)


def k3_shared() -> Case:
    import keras
    from keras import layers

    shared = layers.Dense(2, name="shared")
    left, right = keras.Input((2,)), keras.Input((2,))
    tower = keras.Sequential([layers.Dense(2), shared], name="tower")
    both = layers.Concatenate()([tower(left), tower(right), shared(right)])
    model = _filled(keras.Model([left, right], layers.Dense(1)(both)))
    return {".keras": save}, model


def k3_recurrent() -> Case:
    import keras
    from keras import layers

    stack = [
        keras.Input((3,), dtype="int32"),
        layers.Embedding(4, 2),
        layers.Bidirectional(layers.LSTM(1, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(2)),
    ]
    return {".keras": save}, _filled(keras.Sequential(stack))


def k3_transformer() -> Case:
    import keras
    from keras import layers

    start = keras.Input((2, 2))
    attended = layers.MultiHeadAttention(1, 2, name="attention")(start, start)
    normed = layers.LayerNormalization()(layers.Add()([start, attended]))
    hidden = layers.EinsumDense("abc,cd->abd", (None, 2), bias_axes="d")(normed)
    return {".keras": save}, _filled(keras.Model(start, layers.Add()([normed, hidden])))


def _two_dense(dtype: str) -> Any:
    import keras
    from keras import layers

    stack = [keras.Input((4,)), layers.Dense(4, dtype=dtype, name="first"), layers.Dense(2, dtype=dtype)]
    return _filled(keras.Sequential(stack))


def k3_int8() -> Case:
    model = _two_dense("float32")
    model.quantize("int8")
    return {".keras": save}, model


def k3_lora() -> Case:
    model = _two_dense("float32")
    model.layers[0].enable_lora(2)
    return {".keras": save, ".h5": save}, _filled(model)


def k3_bfloat16() -> Case:
    return {".weights.h5": save_weights, ".h5": save}, _two_dense("bfloat16")


def k3_float16() -> Case:
    return {".weights.h5": save_weights}, _two_dense("float16")


def k3_preprocessing() -> Case:
    import keras
    from keras import layers

    normalization = layers.Normalization()
    normalization.adapt(np.arange(6.0).reshape(3, 2))
    words = layers.TextVectorization(vocabulary=["one", "two"], output_sequence_length=2)
    text, numbers = keras.Input((1,), dtype="string"), keras.Input((2,))
    embedded = layers.Flatten()(layers.Embedding(4, 2)(words(text)))
    dropped = layers.GaussianNoise(0.1)(layers.Dropout(0.5, seed=7)(normalization(numbers)))
    model = keras.Model([text, numbers], layers.Dense(1)(layers.Concatenate()([embedded, dropped])))
    return {".keras": save}, _filled(model)


CASES = {
    "keras1": {"layers": keras1_layers, "nested": keras1_nested},
    "keras20": {"layers": keras2_layers, "copied": keras2_copied, "optimizer": keras2_optimizer},
    "keras23": {"nested": keras2_nested},
    "tfkeras212": {"three_dense": tf_three_dense},
    "tfkeras213": {"three_dense": tf_three_dense},
    "tfkeras215": {
        "nested": tf_nested,
        "subclassed": tf_subclassed,
        "attention": tf_attention,
    },
    "keras315": {
        "nested": k3_nested,
        "subclassed": k3_subclassed,
        "shared": k3_shared,
        "recurrent": k3_recurrent,
        "transformer": k3_transformer,
        "int8": k3_int8,
        "lora": k3_lora,
        "bfloat16": k3_bfloat16,
        "float16": k3_float16,
        "preprocessing": k3_preprocessing,
    },
}  # type: Dict[str, Dict[str, Callable[[], Case]]]
