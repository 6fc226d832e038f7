"""Code that the layers share."""
