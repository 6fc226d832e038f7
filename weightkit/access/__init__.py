"""The weight-access layer: every store of weights, addressed, selected and edited in one way."""
