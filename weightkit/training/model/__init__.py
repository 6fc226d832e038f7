"""A model's weights, their flags, and how it was compiled."""
