"""What the tests of the training helpers are given; they run under ``--backend``."""

from __future__ import annotations

from pathlib import Path

import pytest

KERAS_WARNS = (
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",  # variable.numpy(), when saving
    "ignore:The model does not have any trainable weights:UserWarning",  # a fit with all frozen
)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for ignored in KERAS_WARNS:
                item.add_marker(pytest.mark.filterwarnings(ignored))
