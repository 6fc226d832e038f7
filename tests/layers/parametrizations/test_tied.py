"""Tied: a weight that is another layer's."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from layers.own import GOLDEN
from layers_wrapped import array

from weightkit import open_weights
from weightkit.errors import RequestError
from weightkit.layers import LowRank, Parametrized, Tied, TiedTo, WeightNorm, bake, parametrize
from weightkit.testing.layer.contract import LayerContract
from weightkit.training import check_model, verify_training


class TestTied(LayerContract):
    """`Both` holds a layer and one that is tied to it."""

    bad_arguments = ({"kernel": 3}, {"other": 3}, {"weight": 3}, {"transpose": 1})
    golden = GOLDEN / "Tied.json"

    def make_layer(self, **overrides):
        of_layer = {key: overrides.pop(key) for key in ("name", "dtype") if key in overrides}
        tied = Tied(**{"other": built()} | overrides) if overrides and "kernel" not in overrides else None
        return Both(kernel=overrides.get("kernel", tied), **of_layer)

    def described(self):
        return TiedTo(keras.layers.Dense(4, name="subject"), "inner")

    def own_arguments(self):
        return [*super().own_arguments(), *(one.name for one in dataclasses.fields(Tied) if one.init)]

    def expected(self, weights, inputs, *, training):
        kernel = next(value for path, value in weights.items() if path.endswith("kernel"))
        bias = next(value for path, value in weights.items() if path.endswith("outer/bias"))
        return inputs @ kernel @ kernel.T + bias

    def test_regularizers_and_constraints_act_on_their_weights(self):
        """They belong to the layer whose weight it is."""
        layer = Parametrized(keras.layers.Dense(4, kernel_regularizer="l2"), kernel=Tied(built()))
        with pytest.raises(RequestError, match="kernel has a regularizer; give it to the layer source"):
            layer.build((None, 3))

    def test_every_trainable_weight_can_be_regularized_and_constrained(self):
        layer = TiedTo(keras.layers.Dense(4, bias_regularizer="l2"), built())
        layer.build((None, 3))
        assert len(layer.losses) == 1


@keras.saving.register_keras_serializable(package="weightkit-tests")
class Both(keras.layers.Layer):
    """An inner projection and its transpose.

    Example:
        >>> len(Both().weights)
        0
    """

    def __init__(self, kernel=None, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(3, use_bias=False, dtype=self.dtype_policy, name="inner")
        tied = Tied(self.inner) if kernel is None else kernel
        self.outer = Parametrized(
            keras.layers.Dense(4, dtype=self.dtype_policy, bias_initializer="normal", name="outer"), kernel=tied
        )
        self.supports_masking = True

    def build(self, input_shape):
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], 3))

    def call(self, inputs):
        return self.outer(self.inner(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape


def built():
    layer = keras.layers.Dense(3, name="source")
    layer.build((None, 4))
    return layer


def without_weights():
    layer = keras.layers.ReLU(name="relu")
    layer.build((None, 4))
    return layer


def language_model():
    ids = keras.Input((4,), dtype="int32")
    embedding = keras.layers.Embedding(7, 3, name="table")
    hidden = keras.layers.Dense(3, name="middle")(embedding(ids))
    return keras.Model(ids, TiedTo(keras.layers.Dense(7, name="head"), embedding)(hidden))


def two_towers():
    """The tied layer is on a branch of its own, which meets the other one nowhere."""
    query, document = (keras.Input((4,), dtype="int32", name=name) for name in ("query", "document"))
    table = keras.layers.Embedding(7, 3, name="table")
    hidden = keras.layers.Embedding(7, 3, name="other")(document)
    outputs = [table(query), TiedTo(keras.layers.Dense(7, use_bias=False, name="head"), table)(hidden)]
    return keras.Model([query, document], outputs)


def encoder_and_decoder():
    """The tied layer is in another nested model, whose layer of the same name does not fit."""
    ids, codes = keras.Input((4,), dtype="int32"), keras.Input((4, 3))
    table = keras.layers.Embedding(7, 3, name="head")
    encoder = keras.Model(ids, table(ids), name="encoder")
    tied = Parametrized(keras.layers.Dense(7, name="head"), kernel=Tied(table))
    decoder = keras.Model(codes, tied(codes), name="decoder")
    return keras.Model(ids, decoder(encoder(ids)))


@keras.saving.register_keras_serializable(package="weightkit-tests")
class LanguageModel(keras.Model):
    """The same as a class."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.table = keras.layers.Embedding(7, 3, name="table")
        self.head = TiedTo(keras.layers.Dense(7, name="head"), "table")

    def call(self, ids):
        return self.head(self.table(ids))


def subclassed():
    model = LanguageModel()
    model(IDS)
    return model


def in_sequence():
    layers = [keras.Input((4,), dtype="int32"), keras.layers.Embedding(7, 3, name="table")]
    return keras.Sequential([*layers, TiedTo(keras.layers.Dense(7, name="head"), layers[1])])


IDS = np.array([[0, 1, 2, 3], [4, 5, 6, 0]], np.int32)


def test_the_head_is_the_transposed_table_and_one_variable_after_loading_and_training(tmp_path):
    model = language_model()
    model.compile("adam", "mse")
    model.fit(IDS, np.ones((2, 4, 7)), verbose=0)
    outputs = model.predict(IDS, verbose=0)
    table, kernel, bias, head_bias = model.get_weights()
    np.testing.assert_allclose(outputs, (table[IDS] @ kernel + bias) @ table.T + head_bias, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(IDS, verbose=0), outputs)
    assert len(loaded.weights) == len(keras.models.clone_model(loaded).weights) == 4
    loaded.compile("sgd", "mse")
    loaded.fit(IDS, np.ones((2, 4, 7)), verbose=0)
    np.testing.assert_array_equal(
        array(loaded.get_layer("head").computed[0].value(training=False)),
        loaded.get_weights()[0].T,
    )


def test_its_file_holds_the_weight_once_and_says_the_names(tmp_path):
    model = language_model()
    model.save(tmp_path / "model.keras")
    with open_weights(tmp_path / "model.keras") as store:
        assert [ref.path for ref in store] == ["table/embeddings", "middle/kernel", "middle/bias", "head/head/bias"]
    model.save_weights(tmp_path / "model.weights.h5")
    other = language_model()
    other.load_weights(tmp_path / "model.weights.h5")
    assert all((one == two).all() for one, two in zip(model.get_weights(), other.get_weights(), strict=True))


def test_baked_it_is_a_copy():
    model = language_model()
    plain = bake(model)
    assert len(plain.weights) == 5
    np.testing.assert_allclose(plain.predict(IDS, verbose=0), model.predict(IDS, verbose=0), atol=1e-6)


@pytest.mark.parametrize("steps", [[LowRank(2)], [WeightNorm(), LowRank(2)]], ids=["one", "two"])
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
def test_what_the_other_layer_computes_is_what_it_is_tied_to_and_both_train_it(steps, nested):
    ids = keras.Input((4,), dtype="int32")
    inner = keras.layers.Embedding(7, 3)
    inner = Parametrized(inner, embeddings=WeightNorm()) if nested else inner
    table = Parametrized(inner, embeddings=steps, name="table")
    model = keras.Model(ids, TiedTo(keras.layers.Dense(7, use_bias=False, name="head"), table)(table(ids)))
    added = table.computed[0].steps[-1][1]
    added["b"].variable.assign(np.random.default_rng(1).normal(size=added["b"].variable.shape))
    model.compile("sgd", "mse")
    model.fit(IDS, np.ones((2, 4, 7)), epochs=2, verbose=0)
    now = array(table(np.arange(7)))
    np.testing.assert_allclose(model.predict(IDS, verbose=0), now[IDS] @ now.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bake(model).predict(IDS, verbose=0), now[IDS] @ now.T, rtol=1e-4, atol=1e-5)


def test_a_layer_that_was_wrapped_is_tied_to_as_its_wrapper_computes_it():
    source = built()
    wrapper = Parametrized(source, kernel=WeightNorm())
    wrapper.build((None, 4))
    wrapper.computed[0].steps[0][1]["g"].variable.assign([[1.0, 2.0, 3.0]])
    layer = Parametrized(keras.layers.Dense(4), kernel=Tied(source))
    layer.build((None, 3))
    lengths = np.linalg.norm(array(layer.computed[0].value(training=False)), axis=1)
    np.testing.assert_allclose(lengths, [1, 2, 3], rtol=1e-5)


@pytest.mark.parametrize(
    ("tied", "problem"),
    [
        (lambda: Tied(keras.layers.Dense(3, name="new")), "other must be built first, and 'new' is not"),
        (lambda: Tied(without_weights()), "other must be a layer with weights, and 'relu' has none"),
        (lambda: Tied(built(), weight="gamma"), "weight must be one of source's: kernel, bias, got 'gamma'"),
        (lambda: Tied(built(), transpose=False), r"kernel must have shape \(3, 4\), and source/kernel has \(4, 3\)"),
    ],
)
def test_what_cannot_be_tied_is_refused_by_name(tied, problem):
    with pytest.raises(RequestError, match=problem):
        Parametrized(keras.layers.Dense(4), kernel=tied()).build((None, 3))


def test_what_is_no_layer_is_refused():
    with pytest.raises(RequestError, match=r"other must be .*, got 3"):
        Tied(3)


MODELS = (two_towers, encoder_and_decoder, subclassed, in_sequence)


@pytest.mark.every_backend
@pytest.mark.parametrize("make", MODELS, ids=[make.__name__ for make in MODELS])
def test_a_tied_layer_is_found_anywhere_in_a_model_that_is_loaded(make, tmp_path):
    model = make()
    inputs = [IDS, IDS] if make is two_towers else IDS
    outputs = keras.tree.map_structure(array, model(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, keras.tree.map_structure(array, loaded(inputs)), outputs)
    assert len(loaded.weights) == len(model.weights)
    assert next(iter(find(loaded, "head").tied_variables.values())) is find_table(loaded)


@pytest.mark.every_backend
@pytest.mark.parametrize("make", [two_towers, encoder_and_decoder])
def test_a_tied_layer_is_found_where_the_first_call_of_a_loaded_model_is_predict(make, tmp_path):
    model = make()
    inputs = [IDS, IDS] if make is two_towers else IDS
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = model.run_eagerly = True
    keras.tree.map_structure(
        np.testing.assert_array_equal, loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )


@pytest.mark.parametrize("make", MODELS, ids=[make.__name__ for make in MODELS])
def test_a_tied_layer_is_found_in_the_model_of_a_stateless_call(make, tmp_path):
    model = make()
    inputs = [IDS, IDS] if make is two_towers else IDS
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    values = [[v.value for v in some] for some in (loaded.trainable_variables, loaded.non_trainable_variables)]
    outputs, _ = loaded.stateless_call(*values, inputs)
    for ours, theirs in zip(keras.tree.flatten(outputs), keras.tree.flatten(model(inputs)), strict=True):
        np.testing.assert_array_equal(array(ours), array(theirs))


@pytest.mark.parametrize("make", [two_towers, encoder_and_decoder])
def test_a_model_with_ties_across_branches_is_cloned_parametrized_and_baked(make):
    model = make()
    inputs = [IDS, IDS] if make is two_towers else IDS
    outputs = keras.tree.flatten(model(inputs))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    selected = "**/embeddings"
    for made in (clone, bake(clone), parametrize(model, selected, WeightNorm()), bake(bake(model))):
        for ours, theirs in zip(keras.tree.flatten(made(inputs)), outputs, strict=True):
            np.testing.assert_allclose(array(ours), array(theirs), rtol=1e-5, atol=1e-6)


def find(model, name):
    return next(one for one in model._flatten_layers() if one.name == name and isinstance(one, Parametrized))


def find_table(model):
    return next(one for one in model.weights if one.name == "embeddings" and "other" not in one.path)


def test_kernel_and_bias_are_shared_and_in_files_once(tmp_path):
    inputs = keras.Input((3,))
    first = keras.layers.Dense(3, bias_initializer="normal", name="first")
    hidden = first(inputs)
    second = Parametrized(keras.layers.Dense(3, name="second"), kernel=Tied(first), bias=Tied(first, "bias"))
    model = keras.Model(inputs, second(hidden))
    kernel, bias = model.get_weights()
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(array(model(x)), (x @ kernel + bias) @ kernel + bias, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(keras.saving.load_model(tmp_path / "model.keras")(x)), array(model(x)))
    with open_weights(tmp_path / "model.keras") as store:
        assert [ref.path for ref in store] == ["first/kernel", "first/bias"]
    np.testing.assert_allclose(array(bake(model)(x)), array(model(x)), rtol=1e-6)


def test_a_bias_is_tied_to_the_one_of_the_same_name_by_default():
    layer = Parametrized(keras.layers.Dense(3), bias=Tied(built()))
    layer.build((None, 5))
    assert [one.name for one in layer.tied_variables.values()] == ["bias"]


def test_a_layer_that_is_nowhere_in_the_model_is_refused_when_that_is_called():
    layer = TiedTo(keras.layers.Dense(7, name="head"), "nowhere")
    model = keras.Sequential([keras.Input((3,)), layer], name="small")
    with pytest.raises(RequestError, match="of the model that is called, got 'nowhere' in small"):
        model(np.ones((2, 3)))
    with pytest.raises(RequestError, match="got 'nowhere' in small"):
        bake(model)


def test_a_name_that_two_layers_have_is_refused():
    ids, codes = keras.Input((4,), dtype="int32"), keras.Input((3,))
    towers = [keras.Model(ids, keras.layers.Embedding(7, 3, name="table")(ids), name=name) for name in ("a", "b")]
    head = TiedTo(keras.layers.Dense(7, name="head"), "table")
    model = keras.Model([codes, ids], [head(codes), *(tower(ids) for tower in towers)])
    with pytest.raises(RequestError, match="has several layers 'table'"):
        model([np.ones((2, 3)), IDS])


def test_a_tie_to_another_model_is_warned_of_found_and_fails_verification():
    table = keras.layers.Embedding(7, 3, name="table")
    table.build((None, 4))
    model = keras.Sequential([keras.Input((3,)), TiedTo(keras.layers.Dense(7, name="head"), table)], name="small")
    with pytest.warns(UserWarning, match="head is tied to table/embeddings, which small does not hold"):
        model(np.ones((2, 3)))
    assert [found.what for found in check_model(model).findings] == ["tied outside"]
    model.compile("sgd", "mse", run_eagerly=True)
    report = verify_training(model)
    assert not report
    assert "head/kernel to table/embeddings" in report.failures[0]
