"""Which object of a file is which layer in a configuration's list of layers."""
