"""Keys in a list of layers."""

from __future__ import annotations

import pytest

from weightkit.access.names import keys
from weightkit.access.names.serialized_layer import Serialized


@pytest.mark.parametrize(
    ("key", "class_name"),
    [
        ("dense", "Dense"),
        ("dense_12", "Dense"),
        ("conv2d", "Conv2D"),
        ("global_average_pooling2d_1", "GlobalAveragePooling2D"),
        ("conv_lstm2d", "ConvLSTM2D"),
        ("conv_lst_m2d_1", "ConvLSTM2D"),  # Keras 2
        ("grouped_query_attention", "GroupedQueryAttention"),
        ("my_dense", None),
        ("functional", None),
        ("dense_" + "1" * 5000, None),
    ],
)
def test_a_key_tells_its_class(key: str, class_name: str | None) -> None:
    assert keys.class_of_key(key) == class_name


def test_layers_of_a_class_are_numbered_from_the_second_on() -> None:
    layers = [Serialized(name, {}, builtin=True) for name in ("Dense", "ReLU", "Dense", "Dense")]
    assert list(keys.keyed(layers)) == ["dense", "re_lu", "dense_1", "dense_2"]


def test_a_key_that_two_layers_could_have_is_left_out() -> None:
    layers = [Serialized(name, {}, builtin=True) for name in ("Dense", "Dense_1", "Dense")]
    assert list(keys.keyed(layers)) == ["dense"]
