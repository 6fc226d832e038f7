"""Which weight of one store is which of another."""

from weightkit.access.matching.match import BY, By, Match, Mismatch, match

__all__ = ["BY", "By", "Match", "Mismatch", "match"]
