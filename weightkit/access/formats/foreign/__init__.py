"""Files that are in no format of Keras: what they are, and what to do with them."""

HINT = "give a Keras .h5, .weights.h5 or .keras file"
