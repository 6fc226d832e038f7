"""CheckedEmbedding: rows of a table by id, where an id outside it is never answered by a wrong row."""

from __future__ import annotations

import full
import keras
import numpy as np
import pytest
from layers.own import OwnLayerContract, nonsense

from weightkit.errors import RequestError
from weightkit.layers import CheckedEmbedding
from weightkit.testing.layer import backends

SIZE = 5


class TestCheckedEmbedding(OwnLayerContract):
    input_shapes = ((3, 4), (3,), (2, 3, 2), (2, 2, 2, 2))
    known_axes = ()
    bad_arguments = (
        {"input_dim": 0},
        {"output_dim": 2.5},
        {"on_invalid": "ignore"},
        {"mask_zero": 1},
        *nonsense("embeddings"),
    )

    def make_layer(self, **overrides):
        return CheckedEmbedding(**{"input_dim": SIZE, "output_dim": 3} | overrides)

    def make_inputs(self, shape, seed=0):
        return np.random.default_rng(seed).integers(0, SIZE, shape).astype(np.int32)

    def expected(self, weights, inputs, *, training):
        return np.take(weights["embeddings"], inputs, axis=0)

    def expected_mask(self, inputs, mask):
        return None


class TestCheckedEmbeddingOutOfVocabulary(TestCheckedEmbedding):
    second_setting = True
    bad_arguments = ({"on_invalid": None}, *TestCheckedEmbedding.bad_arguments)

    def make_layer(self, **overrides):
        return CheckedEmbedding(
            **{"input_dim": SIZE, "output_dim": 3, "on_invalid": "oov", "mask_zero": True} | overrides
        )

    def make_inputs(self, shape, seed=0):
        return np.random.default_rng(seed).integers(-3, SIZE + 3, shape).astype(np.int32)

    def expected(self, weights, inputs, *, training):
        return np.take(weights["embeddings"], np.where((inputs < 0) | (inputs >= SIZE), SIZE, inputs), axis=0)

    def expected_mask(self, inputs, mask):
        return inputs != 0


INVALID = {
    "minus one": np.array([[1, -1]], np.int32),
    "the size": np.array([[1, SIZE]], np.int32),
    "beyond it": np.array([[1, SIZE + 5]], np.int32),
    "far below": np.array([[1, -(2**31)]], np.int32),
    "far above": np.array([[1, 2**31 - 1]], np.int32),
    "beyond 32 bits": np.array([[1, 2**40 + 3]], np.int64),
    "far below 32 bits": np.array([[1, 3 - 2**40]], np.int64),
    "eight bits": np.array([[1, -1]], np.int8),
    "eight bits without a sign": np.array([[1, 255]], np.uint8),
    "a fraction": np.array([[1, 2.5]], np.float32),
    "no number": np.array([[1, np.nan]], np.float32),
    "infinite": np.array([[1, np.inf]], np.float32),
    "a large float": np.array([[1, 1e30]], np.float32),
    "a negative float": np.array([[1, -1.0]], np.float32),
}
CLIPPED = (
    dict.fromkeys(INVALID, SIZE - 1)
    | dict.fromkeys(("minus one", "far below", "far below 32 bits", "eight bits", "no number", "a negative float"), 0)
    | {"a fraction": 2}
)


def table_of(layer):
    return np.asarray(keras.ops.convert_to_numpy(layer.embeddings))


def ways(layer):
    """Eager and every compiled way, as functions of an array."""
    compiled = backends.compiled(layer.__call__)
    return {"eager": layer} | {
        way: lambda ids, function=function: function(backends.tensor(ids)) for way, function in compiled.items()
    }


def usable(way, ids):
    """Of each type one or two, since each is compiled; and JAX makes 32-bit ids of longer ones beforehand."""
    if way == "eager":
        return True
    compiled = ("minus one", "the size", "beyond 32 bits", "far below 32 bits", "a fraction", "no number")
    chosen = full.enabled or any(ids is INVALID[kind] for kind in compiled)
    return bool(chosen) and not (backends.backend() == "jax" and ids.dtype == np.int64)


@pytest.mark.every_backend
@pytest.mark.parametrize("on_invalid", ["clip", "oov", "zero", "nan"])
def test_an_invalid_id_gives_what_was_chosen_in_every_way_of_running(on_invalid):
    layer = CheckedEmbedding(SIZE, 3, on_invalid=on_invalid)
    layer(np.array([[0]], np.int32))
    table = table_of(layer)
    for kind, ids in INVALID.items():
        wanted = {
            "clip": table[CLIPPED[kind]],
            "oov": table[-1],
            "zero": np.zeros(3),
            "nan": np.full(3, np.nan),
        }[on_invalid]
        for way, function in ways(layer).items():
            if usable(way, ids):
                output = keras.ops.convert_to_numpy(function(ids))
                np.testing.assert_array_equal(output[0, 0], table[1], err_msg=f"{kind}, {way}")
                np.testing.assert_array_equal(output[0, 1], wanted, err_msg=f"{kind}, {way}")


@pytest.mark.every_backend
@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_id_raises_with_the_id_its_position_and_the_range(kind):
    layer = CheckedEmbedding(SIZE, 3, name="words")
    ids = INVALID[kind]
    with pytest.raises(RequestError) as refused:
        layer(ids)
    message = str(refused.value)
    assert f"words: ids must be in [0, {SIZE}), got {ids[0, 1]} at position (0, 1)" in message


@pytest.mark.every_backend
def test_where_compiled_code_cannot_raise_the_row_is_nan():
    layer = CheckedEmbedding(SIZE, 3)
    layer(np.array([[0]], np.int32))
    for kind, ids in INVALID.items():
        for way, function in ways(layer).items():
            if not usable(way, ids):
                continue
            if way == "xla":
                output = keras.ops.convert_to_numpy(function(ids))
                np.testing.assert_array_equal(output[0, 0], table_of(layer)[1])
                assert np.isnan(output[0, 1]).all(), kind
            else:
                with pytest.raises(Exception, match=r"ids must be in \[0, 5\)"):
                    function(ids)


@pytest.mark.every_backend
def test_jax_itself_narrows_long_ids_with_a_warning_and_no_layer_can_see_it():
    ids = np.array([2**40 + 3])
    if backends.backend() == "jax":
        with pytest.warns(UserWarning, match="truncated to dtype int32"):
            assert int(backends.tensor(ids)[0]) == 3
    else:
        assert int(keras.ops.convert_to_numpy(backends.tensor(ids))[0]) == 2**40 + 3


@pytest.mark.every_backend
@pytest.mark.parametrize("on_invalid", ["clip", "zero", "nan", "oov"])
def test_an_invalid_id_trains_no_row_but_that_of_oov(on_invalid):
    layer = CheckedEmbedding(SIZE, 3, on_invalid=on_invalid)
    ids = np.array([[1, -1, SIZE, 2]], np.int32)
    layer(ids)
    cotangent = np.ones((1, 4, 3), np.float32)
    _, (gradient,) = backends.gradients(layer, [ids], cotangent, lambda one: one[0], training=True)
    expected = np.zeros((SIZE + (on_invalid == "oov"), 3))
    expected[[1, 2]] = 1
    if on_invalid == "oov":
        expected[-1] = 2
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.every_backend
def test_whole_numbers_of_every_type_are_ids():
    layer = CheckedEmbedding(SIZE, 3)
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16", "float32", "float64"):
        output = keras.ops.convert_to_numpy(layer(np.array([0, 4], dtype)))
        np.testing.assert_array_equal(output, table_of(layer)[[0, 4]], err_msg=dtype)


def test_large_tables_are_read_right_in_half_precision():
    layer = CheckedEmbedding(5000, 1, dtype="mixed_float16", embeddings_initializer="zeros")
    layer.build((None,))
    layer.embeddings.assign(np.arange(5000, dtype=np.float32)[:, None] % 7)
    ids = np.array([2049, 4097, 4999], np.float32)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(ids))[:, 0], ids % 7)


@pytest.mark.every_backend
def test_a_fit_on_an_invalid_id_raises_or_makes_the_loss_nan():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), CheckedEmbedding(SIZE, 1), keras.layers.Flatten()])
    model.compile("sgd", "mse")
    batch = np.array([[1, SIZE]], np.int32), np.zeros((1, 2), np.float32)
    if backends.backend() == "jax":
        assert np.isnan(model.train_on_batch(*batch))
    else:
        with pytest.raises(Exception, match="ids must be in"):
            model.train_on_batch(*batch)


@pytest.mark.every_backend
def test_keras_own_embedding_takes_minus_one_for_the_last_row():
    layer = keras.layers.Embedding(SIZE, 3)
    last = keras.ops.convert_to_numpy(layer(np.array([SIZE - 1])))
    found = layer(np.array([-1]))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), last)
