from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weightkit.access.ref import Kind
from weightkit.access.select.roles import role_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

    Make = Callable[..., WeightRef]


@pytest.mark.parametrize(
    ("name", "layer_class", "role"),
    [
        ("kernel", "Dense", "kernel"),
        ("kernel", None, "kernel"),
        ("kernel:0", "Dense", "kernel"),
        ("depthwise_kernel", "SeparableConv2D", "kernel"),
        ("pointwise_kernel", "SeparableConv2D", "kernel"),
        ("lstm_cell/recurrent_kernel", "LSTM", "recurrent"),
        ("recurrent_kernel", "GRUCell", "recurrent"),
        ("bias", "LayerNormalization", "bias"),
        ("gamma", "BatchNormalization", "norm"),
        ("beta", None, "norm"),
        ("gamma", "LayerScale", None),
        ("scale", "RMSNormalization", "norm"),
        ("scale", "Attention", None),
        ("scale", None, None),
        ("embeddings", "Embedding", "embedding"),
        ("reverse_embeddings", "ReversibleEmbedding", "embedding"),
        ("lora_kernel_a", "Dense", "lora"),
        ("lora_embeddings_b", "Embedding", "lora"),
        ("kernel_scale", "Dense", None),
        ("embeddings_scale", "Embedding", None),
        ("convolution2d_1_W", "Convolution2D", "kernel"),
        ("convolution2d_1_b", "Convolution2D", "bias"),
        ("lstm_1_W_i", "LSTM", "kernel"),
        ("lstm_1_U_f", "LSTM", "recurrent"),
        ("U", "SimpleRNN", "recurrent"),
        ("b_carry", "Highway", "bias"),
        ("W", "Embedding", "embedding"),
        ("embedding_1_W", None, "embedding"),
        ("batchnormalization_1_gamma", "BatchNormalization", "norm"),
        ("concat_score_weight", "Attention", None),
        ("alpha", "PReLU", None),
    ],
)
def test_a_role_is_told_by_name_and_class(weight: Make, name: str, layer_class: str | None, role: str | None) -> None:
    assert role_of(weight("a/b", layer="a", name=name, layer_class=layer_class)) == role


def test_a_weight_of_no_name_has_no_role(weight: Make) -> None:
    assert role_of(weight("a/kernel", name=None)) is None


@pytest.mark.parametrize("kind", [Kind.OPTIMIZER, Kind.STATISTIC, Kind.STATE])
def test_what_only_belongs_to_a_weight_has_no_role(weight: Make, kind: Kind) -> None:
    assert role_of(weight("Adam/m/dense/kernel:0", kind=kind)) is None


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.QUANTIZATION])
def test_what_stands_for_a_weight_has_its_role(weight: Make, kind: Kind) -> None:
    assert role_of(weight("dense/kernel", kind=kind)) == "kernel"
