"""Match the weights of two stores."""

from weightkit.access.matching.match import match
from weightkit.access.matching.result import BY, By, Match, Mismatch
from weightkit.access.matching.told.told import Told

__all__ = ["BY", "By", "Match", "Mismatch", "Told", "match"]
