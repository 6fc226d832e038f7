"""Weights resized by what they are: held against plain NumPy, and refused where nothing tells what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from loading_layers import weights
from support import write_legacy

from weightkit import open_weights, reinitialize
from weightkit.access.draw_keys import draw_addresses
from weightkit.errors import RequestError
from weightkit.transforms.initializers import Draws
from weightkit.transforms.loading import LeftFresh, Resizing, conversions, resized
from weightkit.transforms.loading.conversion import Conversion

RNG = np.random.default_rng(5)


def resize(values, shape, *, layer="d", name="kernel", layer_class=None, dtype="f4", draws=None, **how):
    """The values in another shape, or why they stay, and what was done."""
    (ours,) = weights(layer, {name: shape}, layer_class=layer_class, dtype=dtype)
    (theirs,) = weights(layer, {name: values.shape}, layer_class=layer_class, dtype=values.dtype)
    made = resized(ours, Conversion.of(theirs), Resizing(**how), draws)
    if isinstance(made, LeftFresh):
        return made.reason
    assert made.shape == tuple(shape)
    array = made(values)
    assert (array.shape, array.dtype) == (made.shape, np.dtype(dtype))
    return array, made.what


def embedding(values, rows, **how):
    return resize(values, (rows, values.shape[1]), layer="embedding", name="embeddings", layer_class="Embedding", **how)


def test_new_rows_of_a_vocabulary_are_the_mean_and_old_ones_stay():
    old = RNG.normal(size=(10, 4)).astype("f4")
    new, what = embedding(old, 13)
    assert new[:10].tobytes() == old.tobytes()
    assert (new[10:] == old.astype("f8").mean(axis=0).astype("f4")).all()
    assert what == "10 rows made 13: new ones are the mean of the old"


def test_new_rows_may_be_zeros():
    new, what = embedding(np.ones((2, 3), "f4"), 5, new_rows="zeros")
    assert new.tolist() == [[1.0] * 3] * 2 + [[0.0] * 3] * 3
    assert what == "2 rows made 5: new ones are Zeros()"


def test_fewer_rows_are_the_first_ones():
    old = RNG.normal(size=(10, 4)).astype("f4")
    new, what = embedding(old, 7)
    assert new.tobytes() == old[:7].tobytes()
    assert what == "first 7 of 10 rows kept"


@pytest.mark.parametrize("spec", ["random_normal(stddev=0.02)", "orthogonal"])
def test_new_rows_of_an_initializer_are_those_that_reinitialize_draws(tmp_path, spec):
    shape, old = (40_000, 4), RNG.normal(size=(33_000, 4)).astype("f4")  # more than one tile of draws
    path = write_legacy(tmp_path / "m.h5", {"embedding": {"embeddings": np.zeros(shape, "f4")}})
    with open_weights(path) as store:
        (ref,) = store
        draws = Draws(3, draw_addresses(store)[ref])
    reinitialize(path, spec, seed=3)
    with open_weights(path) as store:
        whole = store.read(ref)
    new, what = embedding(old, shape[0], new_rows=spec, draws=draws)
    assert new[:33_000].tobytes() == old.tobytes()
    assert new[33_000:].tobytes() == whole[33_000:].tobytes()
    assert what.startswith("33000 rows made 40000: new ones are ")


def test_an_initializer_without_draws_and_one_that_does_not_fit_are_refused():
    with pytest.raises(RequestError, match="need a seed"):
        embedding(np.ones((2, 3), "f4"), 5, new_rows="he_normal")
    with pytest.raises(RequestError, match="is not an initializer"):
        embedding(np.ones((2, 3), "f4"), 5, new_rows="no such", draws=Draws(1, "a"))


def test_a_reversed_table_grows_by_columns():
    old = RNG.normal(size=(4, 10)).astype("f4")
    new, _ = resize(old, (4, 12), layer="token_embedding", name="reverse_embeddings", layer_class="ReversibleEmbedding")
    assert (new[:, :10] == old).all()
    assert (new[:, 10:] == old.astype("f8").mean(axis=1, keepdims=True).astype("f4")).all()


def test_an_embedding_of_another_width_is_refused():
    with pytest.raises(RequestError, match=r"differs in more than its number of rows: it is \(12, 5\) in the target"):
        resize(np.ones((10, 4), "f4"), (12, 5), layer="e", name="embeddings", layer_class="Embedding")
    with pytest.raises(RequestError, match="differs in more"):
        embedding(np.ones((0, 4), "f4"), 12)


def test_a_vocabulary_of_keras_1_is_named_and_resized():
    (ours,) = weights("embedding", {"embeddings": (5, 2)}, layer_class="Embedding")
    (theirs,) = weights("embedding_1", {"W": (3, 2)})
    converted = conversions([ours], [theirs]).of[ours]
    made = resized(ours, converted)
    assert made.what == "named W in the source, 3 rows made 5: new ones are the mean of the old"
    assert made(np.float32([[0, 0], [3, 3], [6, 6]])).tolist() == [[0, 0], [3, 3], [6, 6], [3, 3], [3, 3]]


def positions(old, count):
    places = np.clip((np.arange(count) + 0.5) * len(old) / count - 0.5, 0, len(old) - 1)
    return np.stack([np.interp(places, np.arange(len(old)), column) for column in old.T], axis=1)


@pytest.mark.parametrize("count", [3, 8, 16, 17, 40])
@pytest.mark.parametrize("axes", [2, 3])
def test_positions_in_a_row_are_interpolated(count, axes):
    old = RNG.normal(size=(8, 3)).astype("f4")
    given, shape = (old, (count, 3)) if axes == 2 else (old[np.newaxis], (1, count, 3))
    new, what = resize(given, shape, name="position_embeddings", layer_class="PositionEmbedding", positions="sequence")
    assert np.allclose(new.reshape(count, 3), positions(old.astype("f8"), count), atol=1e-6)
    assert what == f"8 positions interpolated to {count}"


def test_as_many_positions_stay_as_they_are():
    old = RNG.normal(size=(9, 3)).astype("f4")
    for layout in ("sequence", "grid"):
        new, _ = resize(old, (9, 3), name="pos_embed", positions=layout)
        assert new.tobytes() == old.tobytes()


@pytest.mark.parametrize("token", [0, 1])
@pytest.mark.parametrize("sides", [(4, 6), (6, 3)])
def test_a_grid_is_interpolated_along_both_axes_and_its_class_token_stays(sides, token):
    before, after = sides
    old = RNG.normal(size=(token + before**2, 2)).astype("f4")
    new, what = resize(old[np.newaxis], (1, token + after**2, 2), layer="vit", name="pos_embed")
    grid = old[token:].reshape(before, before, 2).astype("f8")
    rows = np.stack([positions(grid[:, column], after) for column in range(before)], axis=1)
    both = np.stack([positions(rows[row], after) for row in range(after)], axis=0)
    assert np.allclose(new[0, token:], both.reshape(-1, 2), atol=1e-6)
    assert new[0, :token].tobytes() == old[:token].tobytes()
    assert what == f"grid of {before}x{before} positions interpolated to {after}x{after}" + ", class token kept" * token


def test_a_plane_stays_a_plane_between_the_middles_of_the_patches():
    old = np.add.outer(np.arange(4.0), 10 * np.arange(4.0)).reshape(16, 1).astype("f4")
    new, _ = resize(old, (64, 1), name="pos_embed", positions="grid")
    inner = new.reshape(8, 8)[1:-1, 1:-1]
    places = (np.arange(8)[1:-1] + 0.5) / 2 - 0.5
    assert np.allclose(inner, np.add.outer(places, 10 * places), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "name", "layer_class"),
    [
        ("bert/position_embedding", "embeddings", "Embedding"),
        ("gpt/pos_emb", "embeddings", "Embedding"),
        ("anything", "position_embeddings", "PositionEmbedding"),
        ("anything", "embeddings", "PositionEmbedding"),
        ("encoder", "pos_embedding", "MyEncoder"),
        ("encoder", "positional_encoding", "MyEncoder"),
    ],
)
def test_positions_are_known_by_class_and_by_name(layer, name, layer_class):
    _, what = resize(np.ones((4, 2), "f4"), (6, 2), layer=layer, name=name, layer_class=layer_class)
    assert what == "4 positions interpolated to 6"


@pytest.mark.parametrize("layer", ["token_embedding", "deposit_embedding", "composition_embedding", "embedding"])
def test_a_vocabulary_is_not_taken_for_positions(layer):
    _, what = resize(np.ones((4, 2), "f4"), (6, 2), layer=layer, name="embeddings", layer_class="Embedding")
    assert "rows made" in what


@pytest.mark.parametrize(
    ("layer", "old", "new"),
    [("encoder", (1, 10, 2), (1, 17, 2)), ("vit", (1, 12, 2), (1, 20, 2)), ("vit", (12, 2), (20, 2))],
)
def test_positions_that_may_be_in_a_row_or_on_a_grid_are_refused_until_somebody_says_it(layer, old, new):
    with pytest.raises(RequestError, match="may be in a row or on a grid") as error:
        resize(np.ones(old, "f4"), new, layer=layer, name="pos_embed")
    assert "positions='sequence'" in error.value.hint
    assert resize(np.ones(old, "f4"), new, layer=layer, name="pos_embed", positions="sequence")[0].shape == new


def test_a_grid_that_is_no_square_is_refused():
    with pytest.raises(
        RequestError, match="a square number of positions, or one more with a class token, got 12 and 20"
    ):
        resize(np.ones((12, 2), "f4"), (20, 2), name="pos_embed", positions="grid")
    with pytest.raises(RequestError, match="got 17 and 36"):  # a class token in the source alone
        resize(np.ones((17, 2), "f4"), (36, 2), name="pos_embed", positions="grid")


def test_positions_of_several_examples_are_refused():
    with pytest.raises(RequestError, match="differs in more"):
        resize(np.ones((2, 4, 3), "f4"), (2, 6, 3), name="pos_embed", positions="sequence")


def convolution(values, channels, layer="conv1", layer_class="Conv2D", **how):
    shape = (*values.shape[:-2], channels, values.shape[-1])
    return resize(values, shape, layer=layer, layer_class=layer_class, **how)


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 3), (3, 4), (4, 3), (4, 1), (1, 4), (3, 2), (2, 4)])
@pytest.mark.parametrize("layer_class", ["Conv1D", "Conv2D", "Conv3D"])
def test_a_gray_image_gets_the_same_answer(before, after, layer_class):
    size = (3,) * int(layer_class[4])
    old = RNG.normal(size=(*size, before, 5)).astype("f4")
    new, _ = convolution(old, after, layer_class=layer_class)
    assert np.allclose(new.sum(axis=-2), old.sum(axis=-2), atol=1e-5)


def test_the_formulas_for_channels():
    old = RNG.normal(size=(3, 3, 3, 8)).astype("f4")
    exact = old.astype("f8")
    new, what = convolution(old, 1)
    assert (new == exact.sum(axis=2, keepdims=True).astype("f4")).all()
    assert what == "3 channels summed"
    new, what = convolution(old, 4)
    mean = exact.mean(axis=2, keepdims=True)
    assert np.allclose(new, np.concatenate([exact, mean], axis=2) * 0.75, rtol=1e-6)
    assert what == "3 channels made 4: new ones are the mean of the old, all times 3/4"
    gray = old[:, :, :1]
    new, _ = convolution(gray, 3)
    assert np.allclose(new, np.repeat(gray, 3, axis=2) / 3, rtol=1e-6)


@pytest.mark.parametrize(
    "layer", ["conv1", "Conv1", "conv_1", "conv1_conv", "block1_conv1", "stem", "stem_conv", "patch_embedding"]
)
def test_a_first_convolution_is_known_by_its_name_where_it_takes_images(layer):
    assert convolution(np.ones((3, 3, 3, 8), "f4"), 4, layer=f"resnet/{layer}")[0].shape == (3, 3, 4, 8)
    with pytest.raises(RequestError, match="of no kind that can be resized"):
        convolution(np.ones((3, 3, 64, 8), "f4"), 128, layer=layer)


def test_other_convolutions_are_resized_only_where_somebody_says_that_they_are_the_first():
    old = np.ones((3, 3, 13, 8), "f4")
    with pytest.raises(RequestError, match="of no kind that can be resized") as error:
        convolution(old, 3, layer="conv7")
    assert "first=True" in error.value.hint
    assert convolution(old, 3, layer="conv7", first=True)[0].shape == (3, 3, 3, 8)
    with pytest.raises(RequestError):
        convolution(np.ones((3, 3, 3, 8), "f4"), 4, first=False)


def test_a_kernel_of_the_same_shape_in_another_class_is_refused():
    for layer_class in ("Dense", "EinsumDense", "ConvLSTM2D"):
        with pytest.raises(RequestError, match="of no kind"):
            convolution(np.ones((3, 3, 3, 8), "f4"), 4, layer_class=layer_class)


def test_names_alone_tell_in_files_of_weights_alone():
    kernel, table = np.ones((3, 3, 3, 8), "f4"), np.ones((4, 2), "f4")
    assert convolution(kernel, 4, layer_class=None)[0].shape == (3, 3, 4, 8)
    with pytest.raises(RequestError, match="of no kind"):
        convolution(kernel, 4, layer="stem", layer_class=None)
    assert "rows made" in resize(table, (6, 2), layer="embedding", name="embeddings")[1]
    assert "positions" in resize(table, (6, 2), layer="position_embedding", name="embeddings")[1]
    with pytest.raises(RequestError, match="of no kind"):
        resize(table, (6, 2), layer="embedding", name="W")


def test_a_class_that_one_side_alone_knows_counts_for_both():
    (ours,) = weights("c", {"kernel": (3, 3, 4, 8)})
    (theirs,) = weights("c", {"kernel": (3, 3, 3, 8)}, layer_class="Conv2D")
    assert resized(ours, Conversion.of(theirs), Resizing(first=True)).shape == (3, 3, 4, 8)


def test_a_first_convolution_of_another_width_is_refused():
    with pytest.raises(RequestError, match="differs in more than its number of channels"):
        resize(np.ones((3, 3, 3, 8), "f4"), (3, 3, 4, 16), layer="conv1", layer_class="Conv2D")


@pytest.mark.parametrize("layer", ["predictions", "logits", "head", "fc", "out", "class_head", "classifier"])
def test_a_head_for_other_classes_is_left_fresh(layer):
    wanted = "it is a head for 10 classes, the source's is for 1000"
    assert resize(np.ones((8, 1000), "f4"), (8, 10), layer=layer, layer_class="Dense") == wanted
    assert resize(np.ones(1000, "f4"), (10,), layer=layer, name="bias", layer_class="Dense") == wanted


@pytest.mark.parametrize("layer", ["fc1", "dense", "attention_output", "overhead"])
def test_a_dense_of_another_name_is_a_head_only_where_somebody_says_so(layer):
    with pytest.raises(RequestError, match="of no kind") as error:
        resize(np.ones((8, 1000), "f4"), (8, 10), layer=layer, layer_class="Dense")
    assert "last=True" in error.value.hint
    assert "a head for 10" in resize(np.ones((8, 1000), "f4"), (8, 10), layer=layer, layer_class="Dense", last=True)


def test_a_head_with_other_inputs_is_refused():
    with pytest.raises(RequestError, match="differs in more than its number of classes"):
        resize(np.ones((8, 1000), "f4"), (9, 10), layer="logits", layer_class="Dense")


def test_integers_are_not_resized():
    with pytest.raises(RequestError, match="holds integers"):
        embedding(np.ones((3, 2), "i1"), 5, dtype="i1")


def test_what_is_resized_is_rounded_to_the_targets_type_once():
    new, what = embedding(np.float32([[0.1], [0.2]]), 3, dtype="f2")
    assert new.tolist() == np.float16([[0.1], [0.2], [math.fsum([np.float32(0.1), np.float32(0.2)]) / 2]]).tolist()
    assert what.endswith("float32 rounded to float16")
