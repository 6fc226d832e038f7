"""An edit, from choosing weights to having changed them."""
