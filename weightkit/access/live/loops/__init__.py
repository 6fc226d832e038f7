"""Keras' own loops that run now (``fit``, ``predict``, …), and what may be done to their models meanwhile."""
