"""A model as a graph of layers that Keras can rebuild."""
