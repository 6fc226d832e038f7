"""List the weights of a store, and measure their values."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.inspect.listed_weight import Listed
    from weightkit.inspect.listing import Listing, list_weights
    from weightkit.inspect.statistics import Statistics, measure

# Loaded when first used: `show` starts the reading process before NumPy is loaded.
_HOMES = {
    "Listed": "listed_weight",
    "Listing": "listing",
    "Statistics": "statistics",
    "list_weights": "listing",
    "measure": "statistics",
}

__all__ = ["Listed", "Listing", "Statistics", "list_weights", "measure"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(f"weightkit.inspect.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
