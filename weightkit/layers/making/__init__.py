"""What the layers share."""
