"""Whether the complete matrices run, not the pairwise sample: ``pytest --full``."""

enabled = False
"""Set by ``conftest.py`` before any test is collected."""
