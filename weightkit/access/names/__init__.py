"""Derive the names and kinds of weights from what a file stores."""
