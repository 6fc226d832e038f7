"""What an optimizer remembers, and how a new one takes it over."""
