"""What the tests of the layers are given; they run under ``--backend``."""

from __future__ import annotations

from weightkit.testing.layer.report import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

NOT_OURS = (
    # PyTorch 2.13, where it captures Keras' `custom_gradient` as a graph.
    "ignore:.*torch.autograd.function.Function.* should not be instantiated:DeprecationWarning",
    # And where it captures a Keras layer whose weights are computed with.
    "ignore:The .grad attribute of a Tensor that is not a leaf Tensor is being accessed:UserWarning",
)


def pytest_configure(config):
    for line in NOT_OURS:
        config.addinivalue_line("filterwarnings", line)
