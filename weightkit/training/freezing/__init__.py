"""Choose what is trained, and take it back."""
