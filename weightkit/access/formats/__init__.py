"""The file formats of Keras: one a file."""
