"""Learning rates by layer."""
