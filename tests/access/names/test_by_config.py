"""Names from a configuration: old files, mismatches, and hostile input."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

F = "float32"
KERAS_2_13 = "_layer_checkpoint_dependencies"


def dense(name: str, **more: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": name, "dtype": F, **more}}


def model(*layers: Any, **more: Any) -> dict[str, Any]:
    config = {"name": "model", "layers": list(layers)}
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config, **more}


def arrays(path: str, *shapes: tuple[int, ...]) -> list[Stored]:
    return [Stored(f"{path}/vars/{i}", shape, F) for i, shape in enumerate(shapes)]


def places(namings: list[Naming]) -> dict[str, str]:
    return {n.structure: f"{n.layer}/{n.name}" for n in namings}


def test_keras_2_13_counts_a_layer_with_weights_twice() -> None:
    stored = [
        s
        for i, key in enumerate(("dense", "dense_2", "dense_4"))
        for s in arrays(f"{KERAS_2_13}/{key}", (4, 4 + i), (4 + i,))
    ]
    namings, ordered, _ = name_objects(stored, {}, model(dense("a"), dense("b"), dense("c")))
    assert ordered
    assert [n.layer for n in namings] == ["a", "a", "b", "b", "c", "c"]


def test_keras_2_13_numbers_sort_as_numbers() -> None:
    keys = ["dense"] + [f"dense_{2 * i}" for i in range(1, 12)]
    stored = [s for key in sorted(keys) for s in arrays(f"{KERAS_2_13}/{key}", (4, 4), (4,))]
    namings, *_ = name_objects(stored, {}, model(*(dense(key) for key in keys)))
    assert places(namings)[f"{KERAS_2_13}/dense_22/vars/0"] == "dense_22/kernel"
    assert all(n.layer == n.structure.split("/")[1] for n in namings)


def test_keras_2_13_with_a_layer_too_few_names_no_layer() -> None:
    stored = arrays(f"{KERAS_2_13}/dense", (4, 4), (4,)) + arrays(f"{KERAS_2_13}/dense_2", (4, 4), (4,))
    namings, ordered, _ = name_objects(stored, {}, model(dense("a"), dense("b"), dense("c")))
    assert not ordered
    assert {(n.layer, n.known_from) for n in namings} == {(None, Source.KEY)}


def test_keras_2_13_leaves_weightless_layers_out_of_the_count() -> None:
    norm = {"module": "keras.layers", "class_name": "Normalization", "config": {"name": "n", "dtype": F}}
    given_mean = {**norm, "config": {**norm["config"], "name": "g", "mean": [0.0], "variance": [1.0]}}
    stored = [
        Stored(f"{KERAS_2_13}/normalization_1/vars/{i}", s, t)
        for i, (s, t) in enumerate([((3,), F), ((3,), F), ((), "int64")])
    ]
    namings, *_ = name_objects(stored, {}, model(given_mean, norm))
    assert [n.layer for n in namings] == ["n", "n", "n"]


def test_keras_2_13_bidirectional_is_read_through_the_wrapper() -> None:
    gru = {"module": "keras.layers", "class_name": "GRU", "config": {"name": "gru", "dtype": F}}
    both = {"module": "keras.layers", "class_name": "Bidirectional", "config": {"name": "bi", "layer": gru}}
    top = f"{KERAS_2_13}/bidirectional"
    stored = [s for way in ("backward", "forward") for s in arrays(f"{top}/{way}_layer/cell", (3, 9), (3, 9), (2, 9))]
    namings, ordered, _ = name_objects(stored, {}, model(both))
    assert ordered
    assert places(namings)[f"{top}/forward_layer/cell/vars/1"] == "bi/forward_gru/gru_cell/recurrent_kernel"
    assert places(namings)[f"{top}/backward_layer/cell/vars/2"] == "bi/backward_gru/gru_cell/bias"


def test_keras_2_attention_has_private_attributes() -> None:
    mha = {"module": "keras.layers", "class_name": "MultiHeadAttention", "config": {"name": "mha", "dtype": F}}
    top = f"{KERAS_2_13}/multi_head_attention"
    stored = arrays(f"{top}/_query_dense", (3, 2, 3), (2, 3)) + arrays(f"{top}/_output_dense", (2, 3, 3), (3,))
    namings, *_ = name_objects(stored, {}, model(mha))
    assert {f"{n.layer}/{n.name}" for n in namings} == {
        f"mha/{layer}/{name}" for layer in ("query", "attention_output") for name in ("kernel", "bias")
    }


def test_keras_2_cells_of_conv_lstm_2d_have_a_key_of_their_own() -> None:
    layer = {"module": "keras.layers", "class_name": "ConvLSTM2D", "config": {"name": "c", "dtype": F}}
    stored = arrays("layers/conv_lst_m2d/cell", (2, 2, 3, 16), (2, 2, 4, 16), (16,))
    namings, *_ = name_objects(stored, {}, model(layer))
    assert [n.name for n in namings] == ["kernel", "recurrent_kernel", "bias"]


def test_arrays_that_disagree_with_the_configuration_are_not_named_by_it() -> None:
    stored = arrays("layers/dense", (3, 4), (4,))
    (kernel, _), ordered, _ = name_objects(stored, {}, model(dense("a", use_bias=False)))
    assert not ordered
    assert (kernel.layer, kernel.known_from) == (None, Source.KEY)
    (kernel, _), *_ = name_objects(stored, {"layers/dense": "a"}, model(dense("a", use_bias=False)))
    assert (kernel.layer, kernel.name, kernel.kind) == ("a", None, Kind.UNKNOWN)


def test_a_layer_that_the_file_names_otherwise_has_the_configurations_name() -> None:
    stored = arrays("layers/dense", (3, 4), (4,))
    (kernel, _), ordered, stale = name_objects(stored, {"layers/dense": "other"}, model(dense("a")))
    assert ordered
    assert (kernel.layer, kernel.known_from) == ("a", Source.CONFIG)
    assert stale == {"a": "other"}


def test_a_layer_that_the_file_names_otherwise_keeps_that_name_where_the_arrays_are_not_the_configurations() -> None:
    stored = arrays("layers/dense", (3, 4), (4,))
    found = name_objects(stored, {"layers/dense": "other"}, model(dense("a", use_bias=False)))
    assert [naming.layer for naming in found.namings] == ["other", "other"]
    assert (found.ordered, found.stale) == (False, {})


def test_a_name_of_another_class_than_the_key_is_not_the_configurations() -> None:
    table = {"module": "keras.layers", "class_name": "Embedding", "config": {"name": "a", "dtype": F}}
    (naming,), ordered, _ = name_objects(arrays("layers/dense", (3, 4)), {"layers/dense": "a"}, model(table))
    assert not ordered
    assert (naming.name, naming.layer_class, naming.known_from) == ("kernel", "Dense", Source.KEY)


def test_an_object_at_layers_is_no_list() -> None:
    stored = arrays("layers/dense", (3, 4), (4,)) + arrays("layers", (1,))
    namings, *_ = name_objects(stored, {}, model(dense("a")))
    assert {(n.layer, n.name) for n in namings} == {(None, None)}


def test_the_files_names_outrank_the_numbers_where_the_order_of_loading_is_unknown() -> None:
    stored = arrays("layers/dense", (4, 4), (4,)) + arrays("layers/dense_1", (4, 4), (4,))
    namings, *_ = name_objects(stored, {"layers/dense": "b", "layers/dense_1": "a"}, model(dense("a"), dense("b")))
    assert [n.structure for n in namings[:2]] == ["layers/dense_1/vars/0", "layers/dense_1/vars/1"]
    assert [n.layer for n in namings] == ["a", "a", "b", "b"]


def test_a_class_named_like_a_numbered_key_makes_the_number_tell_nothing() -> None:
    odd = {"module": "mine", "class_name": "Dense_1", "config": {"name": "odd"}}
    stored = arrays("layers/dense_1", (4, 4), (4,))
    namings, *_ = name_objects(stored, {}, model(dense("a"), dense("b"), odd))
    assert {n.layer for n in namings} == {None}


def test_a_users_class_of_a_known_name_is_not_kerass() -> None:
    mine = {"module": "mine", "class_name": "Dense", "config": {"name": "a"}, "registered_name": "mine>Dense"}
    (kernel, _), *_ = name_objects(arrays("layers/dense", (3, 4), (4,)), {}, model(mine))
    assert (kernel.layer, kernel.layer_class, kernel.name, kernel.known_from) == ("a", "Dense", None, None)


def test_a_name_that_occurs_twice_below_a_users_class_tells_nothing() -> None:
    config = {"module": "mine", "class_name": "M", "config": {"x": dense("d")}}
    stored = arrays("one", (3, 4), (4,)) + arrays("two", (3, 4), (4,))
    namings, *_ = name_objects(stored, {"one": "d", "two": "d"}, config)
    assert {n.name for n in namings} == {None}
    namings, *_ = name_objects(stored, {"one": "d", "two": "e"}, config)
    assert [n.name for n in namings] == ["kernel", "bias", None, None]


def test_a_list_tells_the_class_and_must_agree_with_the_configuration() -> None:
    config = {"module": "mine", "class_name": "M", "config": {"x": {**dense("d"), "class_name": "Embedding"}}}
    stored = arrays("blocks/dense", (3, 4))
    named = {"": "m", "blocks/dense": "d"}
    assert [n.name for n in name_objects(stored, named, config)[0]] == [None]
    stored = arrays("dense", (3, 4))
    assert [n.name for n in name_objects(stored, {"": "m", "dense": "d"}, config)[0]] == ["embeddings"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["class_name", "config", "layers", "name", "module", "dtype", "layer", "cells", "use_bias"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(config=st.dictionaries(st.sampled_from(["class_name", "config", "compile_config"]), JSON), junk=JSON)
def test_no_configuration_raises(config: dict[str, Any], junk: Any) -> None:
    stored = [*arrays("layers/dense", (3, 4), (4,)), *arrays("layers/rnn/cell", (3, 4)), Stored("odd", (), "?")]
    for one in (
        config,
        model(dense("a", trainable=junk, use_bias=junk, lora_rank=junk), junk),
        {**dense("a"), **config},
    ):
        namings, *_ = name_objects(stored, {"layers/dense": "a"}, one)
        assert sorted(n.structure for n in namings) == sorted(s.structure for s in stored)
    for class_name in ("Bidirectional", "StackedRNNCells", "RNN", "SpectralNormalization", "STFTSpectrogram", "Dense"):
        keys = ("layer", "backward_layer", "cells", "cell", "mode", "dtype", "name")
        layer = {"class_name": class_name, "config": dict.fromkeys(keys, junk)}
        name_objects(arrays(f"layers/{class_name.lower()}", (3, 4)), {}, model(layer))


@pytest.mark.parametrize("depth", [60, 100_000])
def test_deep_configurations_do_not_end_the_stack(depth: int) -> None:
    config = model()
    for _ in range(depth):
        config = model(config)
    path = "/".join(["layers/functional"] * 30)
    namings, *_ = name_objects(arrays(f"{path}/layers/dense", (3, 4), (4,)), {path: "deep"}, config)
    assert [n.name for n in namings] == ["kernel", "bias"]
    users = {"class_name": "M", "module": "mine", "config": {"x": config}}
    assert len(name_objects(arrays("a", (3, 4)), {"a": "model"}, users)[0]) == 1


def test_the_same_dataset_twice_is_named_twice() -> None:
    stored = arrays("layers/dense", (3, 4)) * 2
    assert len(name_objects(stored, {}, model(dense("a")))[0]) == 2
