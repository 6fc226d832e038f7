"""Freeze, thaw and recompile models, losing nothing."""
