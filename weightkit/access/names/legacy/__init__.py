"""Names of weights in legacy HDF5 files, Keras 1 included."""
