"""The command line: parses, calls the library, prints; one command a file."""

from weightkit.cli.main import main

__all__ = ["main"]
