"""The contract that every layer keeps to, point by point."""
