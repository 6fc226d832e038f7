"""An optimizer's state, saved to a file and loaded from it."""
