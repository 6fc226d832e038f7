"""What turns the weights of a layer of a source into those of the matched layer of a target; one idea a file."""

from __future__ import annotations

from weightkit.transforms.loading.conversion import Conversion, Conversions, Rounding
from weightkit.transforms.loading.facts import LayerFacts, facts_of
from weightkit.transforms.loading.flattened import DataFormat, FlattenedMap, flattened_map
from weightkit.transforms.loading.hard_sigmoid import HardSigmoid
from weightkit.transforms.loading.layer_conversions import conversions
from weightkit.transforms.loading.loaded import Loaded, Loading, OnMismatch, OnMissing, loaded
from weightkit.transforms.loading.obstacles import require_all, way_out
from weightkit.transforms.loading.plain import is_plain
from weightkit.transforms.loading.resizing.resized import MEAN_ROWS, LeftFresh, Resizing, resized
from weightkit.transforms.loading.sentences import how_matched, steps

__all__ = [
    "MEAN_ROWS",
    "Conversion",
    "Conversions",
    "DataFormat",
    "FlattenedMap",
    "HardSigmoid",
    "LayerFacts",
    "LeftFresh",
    "Loaded",
    "Loading",
    "OnMismatch",
    "OnMissing",
    "Resizing",
    "Rounding",
    "conversions",
    "facts_of",
    "flattened_map",
    "how_matched",
    "is_plain",
    "loaded",
    "require_all",
    "resized",
    "steps",
    "way_out",
]
