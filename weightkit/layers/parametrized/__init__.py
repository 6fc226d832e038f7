"""The wrapper that computes weights, and what works on whole models of it."""
