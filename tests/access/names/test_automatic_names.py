"""Names made by Keras are distinguished from user-given names."""

from __future__ import annotations

import pytest

from weightkit.access.names.automatic_names import automatic


@pytest.mark.parametrize(
    ("name", "base", "number"),
    [
        ("dense", "dense", 0),
        ("dense_7", "dense", 7),
        ("conv2d_13", "conv2d", 13),
        ("batch_normalization_2", "batch_normalization", 2),
        ("batchnormalization_2", "batch_normalization", 2),
        ("convolution2d_3", "conv2d", 3),
        ("deconvolution2d", "conv2d_transpose", 0),
        ("cu_dnnlstm_1", "lstm", 1),
        ("conv_lst_m2d_2", "conv_lstm2d", 2),
        ("lstm_1", "lstm", 1),
        ("lstm_cell_23", "lstm_cell", 23),
        ("forward_lstm_4", "forward_lstm", 4),
        ("backward_gru", "backward_gru", 0),
        ("multi_head_attention", "multi_head_attention", 0),
        ("sequential_3", "sequential", 3),
    ],
)
def test_a_class_in_snake_case_with_a_counter_is_automatic(name, base, number):
    assert automatic(name) == (base, number)


def test_a_functional_model_has_one_automatic_name_in_keras_2_and_another_in_keras_3():
    assert automatic("model_1") == automatic("functional_1") == ("model", 1)


@pytest.mark.parametrize(
    "name", ["encoder", "block1_conv1", "Dense_n0", "dense_a", "output", "", "_3", "forward_pass", "layer_3", "wrapper"]
)
def test_other_names_are_given(name):
    assert automatic(name) is None


def test_a_class_of_ones_own_has_automatic_names_too_where_it_is_known():
    assert automatic("my_block_2") is None
    assert automatic("my_block_2", "MyBlock") == ("my_block", 2)
    assert automatic("convolution2d_1", "Convolution2D") == ("conv2d", 1)
