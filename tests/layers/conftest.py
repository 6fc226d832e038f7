"""What the tests of the layers are given; they run under ``--backend``."""

from __future__ import annotations

import full
import pytest

from weightkit.testing.layer.report import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

NOT_OURS = (
    # PyTorch 2.13, where it captures Keras' `custom_gradient` as a graph.
    "ignore:.*torch.autograd.function.Function.* should not be instantiated:DeprecationWarning",
    # And where it captures a Keras layer whose weights are computed with.
    "ignore:The .grad attribute of a Tensor that is not a leaf Tensor is being accessed:UserWarning",
)


OF_EVERY_SETTING = {1, 2, 3, 7, 8, 9, 10, 11, 13, 14, 16, 17, 18, 23}
"""Points of the contract that a second setting of a layer keeps to by default: numbers, gradients, how it is made."""
ON_DEVICES = {20, 21}
"""Points that look at exports and replicas, by default of the core alone: what is in a layer's graph makes the
difference, and the others have plain operations there."""
CORE = {3, 4, 15}
"""Points that hang on the backend: gradients, compiled code, retracing."""
CORE_SUBJECTS = {"TestCheckedEmbedding", "TestGradientReversal", "TestLowRank", "TestNoisyDense", "TestSpectralNorm"}
"""What raises, has a gradient of its own, wraps a layer, draws numbers, or has a state that training changes."""


def point_of(item):
    return getattr(getattr(item, "function", None), "point", None)


def of_second_setting(item):
    return getattr(getattr(item, "cls", None), "second_setting", False)


def in_core(item):
    return getattr(getattr(item, "cls", None), "__name__", "") in CORE_SUBJECTS


def left_to_full(item):
    beyond = of_second_setting(item) and point_of(item) not in OF_EVERY_SETTING
    return not full.enabled and (beyond or (point_of(item) in ON_DEVICES and not in_core(item)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[item for item in items if left_to_full(item)])
    items[:] = [item for item in items if not left_to_full(item)]
    for item in items:
        if point_of(item) in CORE and in_core(item):
            item.add_marker(pytest.mark.every_backend)


def pytest_configure(config):
    for line in NOT_OURS:
        config.addinivalue_line("filterwarnings", line)
