"""The table of Keras' layer classes, against freshly built layers."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import pytest

from weightkit.access.names import class_table, class_weights, keys
from weightkit.access.ref import Kind

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
]

BUILT: list[tuple[str, Any, Any]] = [
    ("dense", lambda: layers.Dense(7), (2, 5)),
    ("dense without bias", lambda: layers.Dense(7, use_bias=False), (2, 5)),
    ("dense frozen", lambda: layers.Dense(7, trainable=False), (2, 5)),
    *(
        (mode, lambda m=mode: layers.Dense(7, dtype=f"{m}_from_float32"), (2, 8))
        for mode in ("int8", "int4", "int4/4", "gptq/4/4", "awq/4/4", "float8")
    ),
    ("einsum", lambda: layers.EinsumDense("abc,cde->abde", (5, 6, 7), bias_axes="de"), (2, 5, 4)),
    (
        "einsum int8",
        lambda: layers.EinsumDense("abc,cde->abde", (5, 6, 7), bias_axes="e", dtype="int8_from_float32"),
        (2, 5, 4),
    ),
    ("embedding", lambda: layers.Embedding(9, 4), (2, 3)),
    ("embedding int8", lambda: layers.Embedding(9, 4, dtype="int8_from_float32"), (2, 3)),
    ("reversible", lambda: layers.ReversibleEmbedding(9, 4, tie_weights=False), (2, 3)),
    ("reversible int8", lambda: layers.ReversibleEmbedding(9, 4, tie_weights=False, dtype="int8_from_float32"), (2, 3)),
    ("batch norm", layers.BatchNormalization, (2, 5)),
    ("batch norm without scale", lambda: layers.BatchNormalization(scale=False), (2, 5)),
    ("batch norm without center", lambda: layers.BatchNormalization(center=False), (2, 5)),
    ("layer norm", lambda: layers.LayerNormalization(axis=(1, 2)), (2, 5, 6)),
    ("group norm", lambda: layers.GroupNormalization(2, center=False), (2, 6)),
    ("normalization", lambda: layers.Normalization(axis=None), (2, 5)),
    ("normalization given", lambda: layers.Normalization(mean=0.0, variance=1.0), (2, 5)),
    ("separable", lambda: layers.SeparableConv1D(7, 3, depth_multiplier=2), (2, 9, 5)),
    ("lstm cell", lambda: layers.LSTMCell(4), (2, 5)),
    ("gru cell", lambda: layers.GRUCell(4, reset_after=False), (2, 5)),
    ("spectral", lambda: layers.SpectralNormalization(layers.Dense(4)), (2, 5)),
    ("spectral of embedding", lambda: layers.SpectralNormalization(layers.Embedding(4, 5)), (2, 3)),
]


@pytest.mark.parametrize(("make", "shape"), [b[1:] for b in BUILT], ids=[b[0] for b in BUILT])
def test_a_layers_own_weights_are_those_that_keras_saves(make: Any, shape: Any) -> None:
    layer = make()
    layer.build(shape)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    kept = {id(v): v for v in layer.variables}
    weights = class_weights.own_weights(type(layer).__name__, keras.saving.serialize_keras_object(layer)["config"])
    assert weights is not None
    assert len(weights) == len(store)
    for key, weight in zip(sorted(store, key=int), weights, strict=True):
        assert weight.rank in (None, len(store[key].shape))
        assert weight.integer == ("int" in keras.backend.standardize_dtype(store[key].dtype))
        variable = kept.get(id(store[key]))
        assert variable is None or variable.name == weight.name
    named = [w.name for w in weights if w.kind is Kind.PARAMETER]
    assert set(named) >= {v.name for v in layer._trainable_variables if v.trainable and v.name in named}


def test_a_missing_key_takes_the_default_of_the_class() -> None:
    names = [weight.name for weight in class_weights.own_weights("Dense", {"dtype": "float32"}) or ()]
    assert names == ["kernel", "bias"]
    assert class_weights.own_weights("Dense", {"dtype": "float32"}) == class_weights.own_weights(
        "Dense", {"dtype": "float32", "use_bias": True, "units": 3}
    )


def test_a_class_that_is_not_kerass_own_is_unknown() -> None:
    assert class_weights.own_weights("MyDense", {}) is None
    assert class_weights.children("MyDense", {}) is None


def test_a_configuration_that_hides_the_quantization_leaves_the_weights_open() -> None:
    assert class_weights.own_weights("Dense", {}) is None


def test_a_recurrent_layers_cell_takes_its_flags() -> None:
    (cell,) = class_weights.children("GRU", {"use_bias": False}) or ()
    assert (cell.path, cell.class_name, cell.name) == ("cell", "GRUCell", "gru_cell")
    assert [case.weights[-1].name for case in class_weights.cases_of("GRUCell", cell.config)] == ["recurrent_kernel"]


def test_bidirectional_names_both_directions_as_keras_2_and_3_write_them() -> None:
    gru = {"module": "keras.layers", "class_name": "GRU", "config": {"name": "gru"}}
    found = class_weights.children("Bidirectional", {"layer": gru}) or ()
    assert [child.name for child in found] == ["forward_gru", "backward_gru"]
    gru["config"] = {"name": "forward_gru"}
    found = class_weights.children("Bidirectional", {"layer": gru}) or ()
    assert [child.name for child in found] == ["forward_gru", "backward_gru"]


def test_stacked_cells_are_numbered_by_class() -> None:
    cells = [{"class_name": name, "config": {}} for name in ("LSTMCell", "GRUCell", "LSTMCell")]
    found = class_weights.children("StackedRNNCells", {"cells": cells}) or ()
    assert [child.path for child in found] == ["cells/lstm_cell", "cells/gru_cell", "cells/lstm_cell_1"]


@pytest.mark.parametrize(
    ("name", "layer_class", "kind"),
    [
        ("kernel", "Dense", Kind.PARAMETER),
        ("kernel", None, Kind.PARAMETER),
        ("gamma", "Mine", Kind.PARAMETER),
        ("moving_mean", None, Kind.STATISTIC),
        ("kernel_scale", None, Kind.QUANTIZATION),
        ("vector_u", "SpectralNormalization", Kind.STATE),
        ("count", "Normalization", Kind.STATISTIC),
        ("thing", "Dense", Kind.UNKNOWN),
        ("thing", None, Kind.UNKNOWN),
    ],
)
def test_a_name_tells_its_kind_where_all_classes_agree(name: str, layer_class: str | None, kind: Kind) -> None:
    assert class_weights.kind_of_name(name, layer_class) is kind


def test_an_integer_kernel_is_quantized() -> None:
    assert class_weights.kind_of_name("kernel", "Dense", integer=True) is Kind.QUANTIZATION
    assert class_weights.kind_of_name("kernel", None, integer=True) is Kind.QUANTIZATION
    assert class_weights.kind_of_name("gamma", None, integer=True) is Kind.UNKNOWN


def test_every_key_is_the_one_that_keras_makes() -> None:
    to_snake_case = sys.modules["keras.src.utils.naming"].to_snake_case
    for name in class_table.table().classes:
        assert keys.keys_of_class(name)[0] == to_snake_case(name)


def test_the_table_covers_every_layer_class_but_other_frameworks() -> None:
    own = [getattr(layers, name) for name in dir(layers)]
    names = {c.__name__ for c in own if isinstance(c, type) and issubclass(c, layers.Layer)}
    missing = {name for name in names if class_weights.find(name) is None}
    assert missing == {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}


@pytest.mark.parametrize("name", ["mean", "variance", "count", "scale", "vector_u"])
@pytest.mark.parametrize("layer_class", [None, "Gauss"])
def test_a_common_word_tells_nothing_outside_keras_own_classes(name: str, layer_class: str | None) -> None:
    assert class_weights.kind_of_name(name, layer_class) is Kind.UNKNOWN


def test_a_common_word_tells_its_kind_in_keras_own_classes() -> None:
    assert class_weights.kind_of_name("mean", "Normalization") is Kind.STATISTIC
