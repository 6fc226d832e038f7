"""An optimizer's slots, and how a new optimizer gets them."""
