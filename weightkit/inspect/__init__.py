"""Look at a store of weights: what it holds, and what its values are."""
