"""From what a file stores to the names and kinds of its weights."""
