"""Ways to compute a weight from other variables, one a file."""
