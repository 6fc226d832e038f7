"""Words of Keras 1: the layer's name and the weight's in one."""

from __future__ import annotations

import pytest

from weightkit.access.names.legacy.keras1 import KINDS, split_word
from weightkit.access.ref import Kind


@pytest.mark.parametrize(
    ("group", "word", "parts"),
    [
        ("dense_1", "dense_1_W", ("dense_1", "W")),
        ("lstm_1", "lstm_1_W_i", ("lstm_1", "W_i")),
        ("highway_1", "highway_1_b_carry", ("highway_1", "b_carry")),
        ("batchnormalization_1", "batchnormalization_1_running_std", ("batchnormalization_1", "running_std")),
        ("bidirectional_1", "forward_lstm_3_U_f", ("forward_lstm_3", "U_f")),
        ("timedistributed_1", "dense_2_b", ("dense_2", "b")),
        ("encoder", "encoder_conv_W", ("encoder_conv", "W")),
        ("block1_conv1", "block1_conv1_W_1", ("block1_conv1", "W")),
        ("encoder", "conv_W_2", ("conv", "W")),
        ("head/logits", "head/logits_W", ("head/logits", "W")),
        ("attention_1", "attention_1_score", ("attention_1", "score")),
        ("dense_1", "kernel", None),
        ("dense_1", "_W", None),
        ("dense_1", "dense_1_", None),
    ],
)
def test_a_word_is_parted_at_the_longest_weight_name_that_ends_it(
    group: str, word: str, parts: tuple[str, str] | None
) -> None:
    assert split_word(word, group, alone=False) == parts


def test_a_layer_with_none_inside_owns_every_word_that_begins_with_its_name() -> None:
    assert split_word("attention_1_my_W", "attention_1", alone=True) == ("attention_1", "my_W")


def test_only_running_means_and_deviations_are_statistics() -> None:
    assert {name for name, kind in KINDS.items() if kind is Kind.STATISTIC} == {"running_mean", "running_std"}
