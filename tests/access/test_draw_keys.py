"""Addresses of random draws: the same in a file and in the model loaded from it."""

from __future__ import annotations

import numpy as np
import pytest
from support import GOLDEN

from weightkit import open_weights
from weightkit.access.draw_keys import draw_addresses
from weightkit.access.ref import Kind, WeightRef


def ref_of(path: str, structure: str = "", kind: Kind = Kind.PARAMETER, duplicate: int = 1) -> WeightRef:
    layer, _, name = path.rpartition("/")
    return WeightRef(
        structure or f"s/{path}/{duplicate}",
        layer,
        0,
        name,
        (2,),
        np.dtype("f4"),
        kind,
        None,
        None,
        None,
        duplicate,
    )


def addressed(*paths: str) -> list[str]:
    return list(draw_addresses(ref_of(path) for path in paths).values())


def test_given_names_are_the_address():
    assert addressed("encoder/first/kernel", "head/bias", "temperature") == [
        "encoder/first/kernel",
        "head/bias",
        "temperature",
    ]


@pytest.mark.parametrize(
    ("built", "built_again"),
    [
        (["dense/kernel", "dense_1/kernel"], ["dense_7/kernel", "dense_10/kernel"]),
        (["sequential/dense/kernel", "mine/dense/kernel"], ["sequential_3/dense_4/kernel", "mine/dense_9/kernel"]),
        (
            ["bidirectional/forward_lstm/lstm_cell/kernel", "bidirectional/backward_lstm/lstm_cell/kernel"],
            ["bidirectional_2/forward_lstm_3/lstm_cell/kernel", "bidirectional_2/backward_lstm_3/lstm_cell/kernel"],
        ),
        (["conv2d/kernel", "dense/kernel"], ["conv2d_4/kernel", "dense_9/kernel"]),
        (["functional/dense/kernel"], ["functional_1/dense_1/kernel"]),
    ],
)
def test_a_model_that_is_built_again_has_other_automatic_names_and_the_same_addresses(built, built_again):
    assert addressed(*built) == addressed(*built_again)
    assert len(set(addressed(*built))) == len(built)


def test_automatic_names_are_ranked_by_number_not_as_text_and_not_by_place():
    assert addressed("dense_10/kernel", "dense_9/kernel") == ["dense_1/kernel", "dense/kernel"]


class Ordered(list):
    """References of a store that knows the order of its layers."""

    ordered = True


def test_where_the_store_knows_the_order_automatic_names_are_ranked_by_it():
    """A model and a file from another build of it share the order, not the numbers."""
    for first, second in (("dense", "dense_1"), ("dense_3", "dense_2")):
        refs = Ordered([ref_of(f"{first}/kernel"), ref_of(f"{second}/kernel")])
        assert list(draw_addresses(refs).values()) == ["dense/kernel", "dense_1/kernel"]


def test_the_numbers_of_the_format_rank_automatic_names_too():
    refs = [ref_of("dense_2/kernel", "layers/dense_1/vars/0"), ref_of("dense_5/kernel", "layers/dense/vars/0")]
    assert list(draw_addresses(refs).values()) == ["dense_1/kernel", "dense/kernel"]


def test_other_layers_do_not_change_an_address_unless_they_are_automatic_ones_of_its_class():
    assert addressed("dense_3/kernel")[0] == addressed("dense_3/kernel", "conv2d_1/kernel", "mine/dense/kernel")[0]
    assert addressed("dense_3/kernel")[0] != addressed("dense_3/kernel", "dense/kernel")[0]


@pytest.mark.parametrize("cell", ["lstm_cell", "lstm_cell_12", "gru_cell", "simple_rnn_cell_1", "conv_lstm_cell"])
def test_the_only_cell_of_a_layer_is_left_out_as_keras_2_leaves_it_out(cell):
    assert addressed(f"lstm_1/{cell}/kernel", f"lstm_1/{cell}/bias") == addressed("lstm_1/kernel", "lstm_1/bias")


def test_one_of_several_cells_stays():
    assert addressed("rnn/lstm_cell/kernel", "rnn/lstm_cell_1/kernel") == [
        "rnn/lstm_cell/kernel",
        "rnn/lstm_cell_1/kernel",
    ]
    assert addressed("mine/lstm_cell/kernel", "mine/kernel") == ["mine/lstm_cell/kernel", "mine/kernel"]


def test_without_a_name_the_structure_is_the_address():
    unnamed = WeightRef("layers/x/vars/0", None, 0, None, (2,), np.dtype("f4"), Kind.UNKNOWN, None, None, None)
    half = WeightRef("layers/y/vars/0", "y", 0, None, (2,), np.dtype("f4"), Kind.UNKNOWN, "Mine", None, None)
    assert draw_addresses([unnamed, half]) == {unnamed: "layers/x/vars/0", half: "layers/y/vars/0"}


def test_duplicates_have_addresses_of_their_own():
    first, second = ref_of("d/w"), ref_of("d/w", duplicate=2)
    assert draw_addresses([first, second]) == {first: "d/w", second: "d/w#2"}


def test_two_weights_that_would_share_an_address_fall_back_to_their_structures():
    first, second = ref_of("d/w", "one"), ref_of("d/w", "two")
    assert draw_addresses([first, second]) == {first: "one", second: "two"}


def test_the_optimizers_variables_have_none():
    assert draw_addresses([ref_of("adam/dense/kernel", kind=Kind.OPTIMIZER)]) == {}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_every_weight_of_every_golden_file_has_an_address_of_its_own(path):
    with open_weights(path) as store:
        found = draw_addresses(store)
        assert len(set(found.values())) == len(found) == sum(ref.kind is not Kind.OPTIMIZER for ref in store)


def test_one_model_saved_by_keras_2_15_in_two_formats_has_the_same_addresses():
    found = []
    for path in GOLDEN:
        if path.name in {"tfkeras215_nested.h5", "tfkeras215_nested.keras"}:
            with open_weights(path) as store:
                found.append(set(draw_addresses(store).values()))
    first, second = found
    assert first == second
