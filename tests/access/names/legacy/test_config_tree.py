"""The tree of layers that a model's configuration describes."""

from __future__ import annotations

from typing import Any

import pytest

from weightkit.access.names.legacy.config_tree import LayerTree, without_number


def entry(class_name: str, name: str | None = None, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config if name is None else {"name": name, **config}}


def test_a_list_is_the_configuration_of_a_sequential_before_keras_2_2() -> None:
    tree = LayerTree({"class_name": "Sequential", "config": [entry("Dense", "dense_1")]})
    assert [child.name for child in tree.root.children] == ["dense_1"]


def test_a_sequential_of_keras_1_inside_a_functional_model_is_named_by_its_entry() -> None:
    inner = {"class_name": "Sequential", "name": "encoder", "config": [entry("Dense", "deep")]}
    tree = LayerTree(entry("Model", "model_1", layers=[inner]))
    encoder = tree.find(tree.root, "encoder")
    assert encoder is not None
    assert tree.find(encoder, "deep") is not None


def test_a_nameless_layer_is_found_by_its_place_where_all_others_agree() -> None:
    own = entry("Own", trainable=True)
    tree = LayerTree(entry("Sequential", "s", layers=[entry("InputLayer", "in"), entry("Dense", "dense"), own]))
    assert tree.tops(["dense", "my_own"])["my_own"].class_name == "Own"
    assert "my_own" not in tree.tops(["other", "my_own"])
    assert "my_own" not in tree.tops(["my_own"])


def test_initializers_and_policies_are_no_layers() -> None:
    dense = entry("Dense", "dense", kernel_initializer=entry("Zeros"), dtype=entry("DTypePolicy", "float32"))
    tree = LayerTree(entry("Sequential", "s", layers=[dense]))
    assert tree.root.children[0].children == []


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"layer": entry("LSTM", "lstm")}, ["forward_lstm", "backward_lstm"]),
        ({"layer": entry("LSTM", "forward_lstm")}, ["forward_lstm", "forward_forward_lstm", "backward_lstm"]),
        (
            {"layer": entry("LSTM", "a"), "backward_layer": entry("GRU", "z")},
            ["forward_a", "backward_z", "z"],
        ),
    ],
)
def test_both_sides_of_a_bidirectional_bear_the_names_that_some_keras_gives_them(
    config: dict[str, Any], names: list[str]
) -> None:
    tree = LayerTree(entry("Sequential", "s", layers=[entry("Bidirectional", "both", **config)]))
    found = [child.name for child in tree.root.children[0].children]
    assert [name for name in found if name in names] == names


def test_a_child_goes_before_a_deeper_layer_of_its_name() -> None:
    inner = entry("Model", "inner", layers=[entry("Conv1D", "same")])
    tree = LayerTree(entry("Model", "outer", layers=[inner, entry("Dense", "same")]))
    found = tree.find(tree.root, "same")
    assert found is not None
    assert found.class_name == "Dense"


def test_a_name_borne_twice_below_is_not_found() -> None:
    halves = [entry("Model", name, layers=[entry("Dense", "same")]) for name in ("a", "b")]
    tree = LayerTree(entry("Model", "outer", layers=halves))
    assert tree.find(tree.root, "same") is None


def test_a_name_with_a_slash_is_found_over_several_scopes() -> None:
    tree = LayerTree(entry("Model", "m", layers=[entry("Conv1D", "block/conv")]))
    found = tree.step(tree.root, ["block", "conv", "rest"], 0)
    assert found is not None
    assert (found[0].name, found[1]) == ("block/conv", 2)


@pytest.mark.parametrize("config", [{}, {"class_name": 1}, {"class_name": "Model", "config": None}])
def test_what_is_no_configuration_has_no_layers(config: dict[str, Any]) -> None:
    assert LayerTree(config).root.children == []


@pytest.mark.parametrize(("name", "stem"), [("dense_3_1", "dense_3"), ("dense", "dense"), ("_1", "_1"), ("a_", "a_")])
def test_only_a_number_at_the_end_is_taken_off(name: str, stem: str) -> None:
    assert without_number(name) == stem
