"""From the integers of a quantized layer, their scales and zero points to the real numbers that they stand for.

Importing this loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.access.dequantize.dequantized_source import DequantizedSource
    from weightkit.access.dequantize.quantized_pairs import QuantizedPairs

_HOMES = {
    "DequantizedSource": "weightkit.access.dequantize.dequantized_source",
    "QuantizedPairs": "weightkit.access.dequantize.quantized_pairs",
}

__all__ = ["DequantizedSource", "QuantizedPairs"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
