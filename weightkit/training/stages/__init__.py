"""Training in stages, such as gradual unfreezing, that goes on after a kill."""
