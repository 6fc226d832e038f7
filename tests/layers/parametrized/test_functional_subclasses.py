"""Functional models whose class has a configuration of its own, as KerasHub's backbones and tasks have."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import array

from weightkit import load_weights
from weightkit.errors import RequestError
from weightkit.layers import LowRank, WeightNorm, bake, load_unwrapped, parametrize

registered = keras.saving.register_keras_serializable("subclasses")
WIDTH, WORDS = 4, 9


@registered
class Encoder(keras.layers.Layer):
    """A layer whose file has the names of its attributes, and not those of the layers in it."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self._query_dense = keras.layers.Dense(WIDTH, name="query")
        self._norm = keras.layers.LayerNormalization(name="norm")
        self._dropout = keras.layers.Dropout(0.5)

    def build(self, inputs_shape, padding_shape):
        self._query_dense.build(inputs_shape)
        self._norm.build(inputs_shape)

    def call(self, inputs, padding, training=None):
        update = self._dropout(self._query_dense(inputs), training=training)
        return self._norm(inputs + keras.ops.tanh(update) * keras.ops.cast(padding, inputs.dtype)[..., None])

    def get_config(self):
        return super().get_config()


@registered
class Backbone(keras.Model):
    def __init__(self, depth, name="backbone", **settings):
        table = keras.layers.ReversibleEmbedding(WORDS, WIDTH, name="table")
        layers = [Encoder(name=f"encoder_{number}") for number in range(depth)]
        inputs = {key: keras.Input((None,), dtype="int32", name=key) for key in ("token_ids", "padding_mask")}
        hidden = table(inputs["token_ids"])
        for layer in layers:
            hidden = layer(hidden, inputs["padding_mask"])
        super().__init__(inputs, {"sequence": hidden, "pooled": hidden[:, 0]}, name=name, **settings)
        self.table, self.encoders, self.depth = table, layers, depth

    def get_config(self):
        return {"name": self.name, "trainable": self.trainable, "depth": self.depth}


@registered
class Classifier(keras.Model):
    def __init__(self, backbone, name="task"):
        head = keras.layers.Dense(3, name="head")
        inputs = backbone.input
        super().__init__(inputs, head(self.features(backbone, inputs)), name=name)
        self.backbone, self.head = backbone, head

    def features(self, backbone, inputs):
        return backbone(inputs)["pooled"]

    def get_config(self):
        return {"name": self.name, "backbone": keras.saving.serialize_keras_object(self.backbone)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["backbone"]), config["name"])


@registered
class FrozenFeatures(Classifier):
    def features(self, backbone, inputs):
        return backbone.table(backbone(inputs, training=False)["sequence"], reverse=True)


@registered
class LanguageModel(keras.Model):
    """The backbone's table is a layer of the backbone and of the model around it."""

    def __init__(self, backbone, name="task"):
        inputs = backbone.input
        super().__init__(inputs, backbone.table(backbone(inputs)["sequence"], reverse=True), name=name)
        self.backbone = backbone

    get_config, from_config = Classifier.get_config, Classifier.from_config


MODELS = {"classifier": lambda: Classifier(Backbone(1)), "language model": lambda: LanguageModel(Backbone(1))}
IDS = np.random.default_rng(0).integers(0, WORDS, (4, 5)).astype("int32")
X = {"token_ids": IDS, "padding_mask": (IDS > 2).astype("int32")}


def outputs(model, **settings):
    return np.concatenate([array(one).ravel() for one in keras.tree.flatten(model(X, **settings))])


def values(model):
    return {one.path: array(one.value).tolist() for one in model.weights if "lora" not in one.path}


def record(model):
    """What must not change: values, flags, and how often each layer was called."""
    calls = [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in model._flatten_layers()]
    return values(model), [one.trainable for one in model.weights], calls


def fit(model):
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=keras.backend.backend() == "tensorflow")
    model.fit(X, keras.tree.map_structure(lambda one: array(one) + 1, model(X)), verbose=0)


@pytest.mark.every_backend
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_lora_by_selection_trains_saves_loads_and_bakes(make, tmp_path):
    model = make()
    model.trainable = False
    before, expected = record(model), outputs(model)
    made = parametrize(model, "**/query", LowRank(2))
    np.testing.assert_array_equal(outputs(made), expected)
    assert (values(made), record(model)) == (before[0], before)
    assert type(made).__name__ == "Functional"
    assert [one.path.rpartition("/")[2] for one in made.trainable_weights] == ["lora_kernel_a", "lora_kernel_b"]
    fit(made)
    trained = outputs(made)
    assert (np.array_equal(trained, expected), values(made)) == (False, before[0])
    made.save(tmp_path / "made.keras")
    np.testing.assert_array_equal(outputs(keras.saving.load_model(tmp_path / "made.keras")), trained)
    plain = bake(made)
    assert list(values(plain)) == list(before[0])
    np.testing.assert_allclose(outputs(plain), trained, atol=1e-5)
    load_weights(model, plain)  # the class has its other methods
    np.testing.assert_array_equal(outputs(model), outputs(plain))


CHECKPOINTS = {
    "backbone.weights.h5": lambda: Backbone(2),
    "classifier.weights.h5": lambda: Classifier(Backbone(2)),
    "classifier.keras": MODELS["classifier"],
    "language_model.weights.h5": MODELS["language model"],
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_of_the_class_goes_into_the_wrapped_model(name, tmp_path):
    model, other = CHECKPOINTS[name](), CHECKPOINTS[name]()
    (model.save if name.endswith(".keras") else model.save_weights)(tmp_path / name)
    made = parametrize(other, ["**/query", "**/table"], LowRank(2))
    for source in (tmp_path / name, other, tmp_path / name):
        load_unwrapped(made, source)
        np.testing.assert_array_equal(outputs(made), outputs(other if source is other else model))
    assert values(bake(model)) == values(model)


def test_a_nested_model_that_is_called_for_inference_stays_so_in_a_flat_one():
    model = FrozenFeatures(Backbone(1))
    made = parametrize(model, "backbone/table", LowRank(2))
    assert [layer.name for layer in made.layers if hasattr(layer, "layers")] == []
    (node,) = made.get_layer("encoder_0")._inbound_nodes
    assert node.arguments.kwargs["training"] is False
    np.testing.assert_array_equal(outputs(made), outputs(model))


class Stack(keras.Sequential):
    def __init__(self, depth):
        super().__init__([keras.Input((3,)), *(keras.layers.Dense(3, name=f"dense_{n}") for n in range(depth))])


class Unsaved(keras.Model):
    """Keras does not know the arguments of the constructor, which are not plain data."""

    def __init__(self, layer):
        inputs = keras.Input((3,))
        super().__init__(inputs, layer(inputs))


def test_constructors_with_arguments_of_their_own_are_not_called():
    for model in (Stack(2), Unsaved(keras.layers.Dense(3, name="dense_0"))):
        made = parametrize(model, "dense_0", WeightNorm())
        assert [one.shape for one in bake(made).weights] == [one.shape for one in model.weights]
        x = np.ones((2, 3), "float32")
        np.testing.assert_allclose(array(made(x)), array(model(x)), atol=1e-6)


class Calls(Backbone):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=training)["pooled"] * 2


class Holds(Backbone):
    def __init__(self, depth):
        super().__init__(depth)
        self.beside = keras.layers.Dense(2, name="beside")
        self.beside.build((None, 2))


class Misspelled(keras.layers.Dense):
    def get_config(self):
        return {**super().get_config(), "unit": 3}


def doubled():
    backbone = Backbone(1)
    logits = backbone.table(backbone(backbone.input)["sequence"], reverse=True)
    return keras.Model(backbone.input, keras.layers.Dense(2, name="encoder_0")(logits), name="task")


class Broken(keras.layers.Dense):
    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


class Head(keras.layers.Layer):
    """A layer that holds the table, as KerasHub's MaskedLMHead does."""

    def __init__(self, table, **settings):
        super().__init__(**settings)
        self.table = table

    def call(self, inputs):
        return self.table(inputs, reverse=True)


def held_twice():
    backbone = Backbone(1)
    hidden = backbone(backbone.input)["sequence"]
    return keras.Model(backbone.input, Head(backbone.table, name="logits")(hidden), name="task")


REFUSED = {
    "call": (lambda: Calls(1), r"Calls 'backbone' has a call\(\) of its own"),
    "weights": (lambda: Holds(1), "Holds 'backbone' has weights outside its graph.*: beside/kernel, beside/bias"),
    "names": (doubled, "'encoder_0' must be the name of one layer, and is the name of 2"),
    "configuration": (
        lambda: keras.Sequential([keras.Input((2,)), Misspelled(3, name="m")], name="s"),
        r"s: Misspelled 'm' cannot be made from its get_config\(\): .*'unit': 3",
    ),
    "attribute": (
        lambda: keras.Sequential([keras.Input((2,)), Broken(3, name="b")], name="s"),
        r"s: Broken 'b' cannot be made from its get_config\(\): AttributeError: .*'scale'",
    ),
    "held": (held_twice, "'table' and 'logits' both hold table/embeddings, and would no longer share it"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_graph_that_is_not_the_whole_model_is_refused_in_a_line(case):
    make, problem = case
    with pytest.raises(RequestError, match=problem) as raised:
        parametrize(make(), "**", WeightNorm())
    assert "\n" not in str(raised.value)
