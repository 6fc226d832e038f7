"""HDF5 files: where each value lies, and how new values get there."""
