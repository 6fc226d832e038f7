"""Replace layers of live models by others, in place."""
