"""What the tests of the training helpers are given; they run under ``--backend``."""

from __future__ import annotations


def pytest_configure(config):
    # Keras 3.15 with NumPy 2: its variables' ``__array__`` has no ``copy``, and ``Variable.numpy`` asks for it.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    )
