"""``python -m weightkit`` is the command line."""

from weightkit.cli import main

main()
