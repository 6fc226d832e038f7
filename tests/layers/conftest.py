"""What the tests of the layers are given; they run under ``--backend``."""

from __future__ import annotations

from weightkit.testing.report import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

NOT_OURS = (
    # Keras 3.15's variables have no `copy` in `__array__`, which NumPy 2 asks for wherever Keras itself saves one.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    # So does PyTorch 2.13 itself, where it captures Keras' `custom_gradient` as a graph.
    "ignore:.*torch.autograd.function.Function.* should not be instantiated:DeprecationWarning",
    # And where it captures a Keras layer whose weights are computed with.
    "ignore:The .grad attribute of a Tensor that is not a leaf Tensor is being accessed:UserWarning",
)


def pytest_configure(config):
    for line in NOT_OURS:
        config.addinivalue_line("filterwarnings", line)
