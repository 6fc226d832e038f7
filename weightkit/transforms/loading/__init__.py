"""What turns the weights of a layer of a source into those of the matched layer of a target; one idea a file."""

from __future__ import annotations

from weightkit.transforms.loading.conversion import Conversion, Conversions, Rounding
from weightkit.transforms.loading.facts import LayerFacts, facts_of
from weightkit.transforms.loading.flattened import FlattenedMap, flattened_map
from weightkit.transforms.loading.layer import conversions
from weightkit.transforms.loading.resizing.resized import LeftFresh, Resizing, resized

__all__ = [
    "Conversion",
    "Conversions",
    "FlattenedMap",
    "LayerFacts",
    "LeftFresh",
    "Resizing",
    "Rounding",
    "conversions",
    "facts_of",
    "flattened_map",
    "resized",
]
