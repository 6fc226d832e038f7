"""The wrapper that computes weights, and functions that apply it to whole models."""
