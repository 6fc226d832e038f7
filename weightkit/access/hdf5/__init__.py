"""HDF5 files: where each value is, and how new values are written."""
