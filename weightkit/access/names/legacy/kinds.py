"""Kinds of weights in legacy files that the table of Keras 3's classes lacks.

From the sources of Keras 2.0.9, 2.3.1, 2.15 and 3.15, so that every built-in layer is known.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASS_KINDS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        # Its random features are drawn once and never trained; only their scale can be.
        "RandomFourierFeatures": MappingProxyType(
            {"kernel_scale": Kind.PARAMETER, "unscaled_kernel": Kind.STATE, "bias": Kind.STATE}
        ),
    }
)
"""Kinds by class, then by name, where the name alone would mislead."""

NAME_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "kernel",
                "recurrent_kernel",
                "bias",
                "embeddings",
                "gamma",
                "beta",
                "alpha",  # PReLU
                "depthwise_kernel",
                "pointwise_kernel",
                "input_gate_peephole_weights",  # PeepholeLSTMCell
                "forget_gate_peephole_weights",
                "output_gate_peephole_weights",
                "concat_score_weight",  # Attention
                "lora_kernel_a",  # Keras 3 merges LoRA into the kernel in version-3 files, but not here
                "lora_kernel_b",
                "lora_embeddings_a",
                "lora_embeddings_b",
            ),
            Kind.PARAMETER,
        ),
        **dict.fromkeys(
            (
                "moving_mean",
                "moving_variance",
                "moving_stddev",  # BatchNormalization(renorm=True)
                "renorm_mean",
                "renorm_stddev",
            ),
            Kind.STATISTIC,
        ),
    }
)
"""Kinds by name alone, for names that mean one thing in every layer of Keras 2."""

CELLS: Mapping[str, str] = MappingProxyType(
    {
        "LSTM": "LSTMCell",
        "GRU": "GRUCell",
        "SimpleRNN": "SimpleRNNCell",
        "ConvLSTM1D": "ConvLSTMCell",
        "ConvLSTM2D": "ConvLSTMCell",
        "ConvLSTM3D": "ConvLSTMCell",
        "MultiHeadAttention": "EinsumDense",
        "GroupedQueryAttention": "EinsumDense",
        "GroupQueryAttention": "EinsumDense",
    }
)
"""Class of the layers inside a layer, which its configuration does not list."""
