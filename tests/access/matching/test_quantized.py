"""Quantized layers match as what they were before, also where names, shapes and counts of weights do not tell."""

from __future__ import annotations

import numpy as np
import pytest
from loading_layers import weights

from weightkit import Kind
from weightkit.access.matching import match


def plain(layer, rows=8, columns=8):
    return weights(layer, {"kernel": (rows, columns)}, layer_class="Dense")


def int4(layer, rows=8, columns=8):
    """A kernel with two numbers in a byte, as Keras stores it in blocks of 4 rows."""
    groups = -(-rows // 4)
    kernel, zero = (
        weights(layer, {name: shape}, layer_class="Dense", dtype="i1", kind=Kind.QUANTIZATION)
        for name, shape in (("kernel", (rows, -(-columns // 2))), ("kernel_zero", (groups, columns)))
    )
    floats = {"kernel_scale": (groups, columns), "g_idx": (rows,)}
    return kernel + weights(layer, floats, layer_class="Dense", kind=Kind.QUANTIZATION) + zero


def met(ours, theirs, **options):
    return [(a.path, b.path) for a, b in match(ours, theirs, **options).pairs.items()]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_layers_of_automatic_names_of_which_one_is_quantized_are_paired_in_their_order(which):
    names = [("dense", "dense_1", "dense_2"), ("dense_3", "dense_4", "dense_5")]
    ours = [ref for name in names[0] for ref in plain(name)]
    theirs = [ref for turn, name in enumerate(names[1]) for ref in (int4 if turn == which else plain)(name)]
    wanted = [(f"{a}/kernel", f"{b}/kernel") for a, b in zip(*names, strict=True)]
    assert met(ours, theirs) == wanted
    assert met(theirs, ours) == [pair[::-1] for pair in wanted]


def test_as_many_quantized_layers_on_both_sides_may_be_others():
    ours, theirs = [*plain("dense"), *int4("dense_1")], [*int4("dense_2"), *plain("dense_3")]
    assert met(ours, theirs) == [("dense/kernel", "dense_2/kernel"), ("dense_1/kernel", "dense_3/kernel")]


def test_the_scales_are_what_only_the_quantized_store_has():
    found = match(plain("dense"), int4("dense"))
    assert [ref.name for ref in found.unused] == ["kernel_scale", "g_idx", "kernel_zero"]
    assert [(one.ours.shape, one.theirs.shape) for one in found.mismatched] == [((8, 8), (8, 4))]
    assert found.missing == ()


def test_layers_of_other_names_are_matched_by_the_shapes_that_they_had_before():
    ours, theirs = plain("a") + plain("b", 8, 3), int4("c") + int4("d", 8, 3)
    assert met(ours, theirs, by="shape") == [("a/kernel", "c/kernel"), ("b/kernel", "d/kernel")]


def test_scales_match_where_some_layers_are_quantized_on_both_sides():
    ours, theirs = int4("a") + plain("b"), int4("a") + int4("b")
    wanted = [("a/kernel", "a/kernel"), ("b/kernel", "b/kernel")]
    wanted += [(f"a/{name}", f"a/{name}") for name in ("kernel_scale", "g_idx", "kernel_zero")]
    assert sorted(met(ours, theirs)) == sorted(wanted)


@pytest.mark.parametrize(
    ("name", "layer_class", "stored", "parts", "before"),
    [
        ("kernel", "Dense", ("i1", (8, 7)), {"kernel_scale": (7,)}, (8, 7)),
        ("kernel", "Dense", ("i1", (8, 4)), {"kernel_scale": (7,)}, (8, 7)),
        ("kernel", "Dense", ("u1", (4, 8)), {"kernel_scale": (7, 2), "g_idx": (8,)}, (8, 7)),
        ("kernel", "EinsumDense", ("i1", (8, 3, 2)), {"kernel_scale": (1, 3, 2)}, (8, 3, 2)),
        ("embeddings", "Embedding", ("i1", (9, 4)), {"embeddings_scale": (9,)}, (9, 4)),
        ("embeddings", "Embedding", ("i1", (9, 4)),
         {"embeddings_scale": (9, 2), "embeddings_zero": (9, 2), "g_idx": (7,)}, (9, 7)),
    ],
)  # fmt: skip
def test_the_shape_before_comes_from_the_shapes_beside_it(name, layer_class, stored, parts, before):
    dtype, shape = stored
    quantized = weights("x", {name: shape}, layer_class=layer_class, dtype=dtype, kind=Kind.QUANTIZATION)
    quantized += weights("x", parts, layer_class=layer_class, kind=Kind.QUANTIZATION)
    found = match(weights("y", {name: before}), quantized, "shape")
    assert [(a.name, b.name, b.dtype) for a, b in found.pairs.items()] == [(name, name, np.dtype(dtype))]
