"""From the integers of a quantized layer, their scales and zero points to the real numbers that they stand for."""
