"""Choose what is trained, and undo it."""
