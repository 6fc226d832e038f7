"""The order of layers, where a store knows it."""

from __future__ import annotations

import numpy as np

from weightkit.access.names.layer_order import is_numbered, turns
from weightkit.access.ref import Kind, WeightRef


def layer(*structures, trainable=None):
    return [
        WeightRef(path, None, 0, None, (2,), np.dtype("f4"), Kind.PARAMETER, None, trainable, None)
        for path in structures
    ]


def test_the_keys_of_version_3_number_the_layers_of_a_class():
    dense = [layer(f"layers/dense{k}/vars/0", f"layers/dense{k}/vars/1") for k in ("_2", "", "_10")]
    assert turns(dense, ordered=False, nested=False) == [2, 0, 10]
    assert turns(dense, ordered=True, nested=True) == [2, 0, 10]


def test_nested_models_are_numbered_where_their_paths_part():
    models = [layer(f"layers/functional{k}/layers/dense/vars/0") for k in ("_1", "")]
    assert turns(models, ordered=False, nested=False) == [1, 0]


def test_attributes_of_a_users_own_class_have_no_numbers():
    assert turns([layer("encoder/vars/0"), layer("decoder/vars/0")], ordered=False, nested=False) is None


def test_names_in_the_paths_of_legacy_files_are_no_numbers_and_their_order_is_taken():
    dense = [layer("dense_1/dense_1/kernel"), layer("dense/dense/kernel")]
    assert not is_numbered(dense[0][0])
    assert turns(dense, ordered=True, nested=False) == [0, 1]
    assert turns(dense, ordered=False, nested=False) is None


def test_in_a_nested_legacy_model_the_order_counts_only_where_none_was_sorted_behind():
    def nested(*flags):
        return [layer(f"e/dense_{i}/kernel", trainable=flag) for i, flag in enumerate(flags)]

    assert turns(nested(True, True), ordered=True, nested=True) == [0, 1]
    assert turns(nested(False, False), ordered=True, nested=True) == [0, 1]
    assert turns(nested(True, False), ordered=True, nested=True) is None
    assert turns(nested(None, None), ordered=True, nested=True) is None


def test_one_layer_is_in_order():
    assert turns([layer("e/dense/kernel")], ordered=False, nested=True) == [0]


def test_a_number_of_5000_digits_is_part_of_a_name():
    long = [layer(f"layers/dense_{digit * 5000}/vars/0") for digit in "12"]
    assert turns(long, ordered=False, nested=False) is None
