"""The contract for layers, point by point."""
