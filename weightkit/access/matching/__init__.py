"""Match the weights of two stores."""

from weightkit.access.matching.match import BY, By, Match, Mismatch, match

__all__ = ["BY", "By", "Match", "Mismatch", "match"]
