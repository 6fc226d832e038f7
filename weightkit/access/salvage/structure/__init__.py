"""The structure of a damaged HDF5 file, read from its bytes: headers, groups, datasets, wherever they are found."""
