"""The command line: parses, calls the library, prints; one command a file."""

import sys

try:
    from weightkit.cli.main import main
except (ImportError, MemoryError) as error:
    # Nothing of ours is loaded: Python would exit with 1, which is for files that differ.
    sys.stderr.write(
        f"weightkit: it cannot be loaded: {type(error).__name__}: {error} \u2014 free memory, or install it again\n"
    )
    sys.exit(4)

__all__ = ["main"]
