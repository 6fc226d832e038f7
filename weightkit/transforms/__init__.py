"""What can be done to values: one transform a file."""
