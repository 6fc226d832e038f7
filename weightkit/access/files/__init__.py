"""Open, lock, back up and replace a file safely; nothing here knows HDF5."""
