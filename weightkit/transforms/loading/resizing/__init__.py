"""Weights of another shape than the target's, resized by what they are: vocabularies, positions, image channels."""
