"""Files that are in no format of Keras: what they are, and what to do with them."""
