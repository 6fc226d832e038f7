"""Compute weights of a live model, and keep training it."""
