"""Match the weights of two stores."""

from weightkit.access.matching.match import match
from weightkit.access.matching.result import BY, By, Match, Mismatch

__all__ = ["BY", "By", "Match", "Mismatch", "match"]
