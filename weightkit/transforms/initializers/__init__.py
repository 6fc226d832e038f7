"""Keras' initializers in NumPy: one idea a file; `get` finds one by name or configuration."""

from __future__ import annotations

from weightkit.transforms.initializers.draws import Draws, require_seed
from weightkit.transforms.initializers.initializer import Initializer
from weightkit.transforms.initializers.parsing import get

__all__ = ["Draws", "Initializer", "get", "require_seed"]
