"""Comparing the weights of two stores: what is there, what differs, and what happened."""
