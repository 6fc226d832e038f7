"""Layers and parametrisations of layers, for Keras on any backend."""
