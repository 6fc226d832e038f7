"""Weights in memory: a model, a layer or a list of variables as a store."""
