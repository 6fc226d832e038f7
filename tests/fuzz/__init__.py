"""A fuzz of the parent: what it computes from replies, lists, configurations and directories that are spoiled."""
