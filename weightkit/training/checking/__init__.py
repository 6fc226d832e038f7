"""Find out what a model really trains."""
