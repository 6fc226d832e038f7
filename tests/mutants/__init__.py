"""Mutants: copies of the project with one safety check taken out, which a test must notice."""
