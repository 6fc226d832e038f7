"""Optimizer state as a file."""
