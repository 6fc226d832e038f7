"""Ways to compute a weight from other variables, one in each file."""
