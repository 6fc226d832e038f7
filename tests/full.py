"""What runs beside the default sample: ``pytest --full`` and ``pytest --unmarked``."""

enabled = False
"""Whether the complete matrices run. Set by ``conftest.py`` before any test is collected, as is the other."""
on_every_backend = False
"""Whether what does not differ by backend runs on each of them, not on the first alone."""
