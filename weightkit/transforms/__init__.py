"""What can be done to weights, as values for `plan` and `edit`; one transform a file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.transforms.load_weights import LoadWeights
    from weightkit.transforms.reinitialize import Reinitialize
    from weightkit.transforms.scale import Scale

# Loaded when first used: each of them imports NumPy, which `weightkit --help` does without.
_HOMES = {"LoadWeights": "load_weights", "Reinitialize": "reinitialize", "Scale": "scale"}

__all__ = ["LoadWeights", "Reinitialize", "Scale"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(f"weightkit.transforms.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
