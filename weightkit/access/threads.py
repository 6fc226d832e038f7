"""How many threads share work, and from when on."""

from __future__ import annotations

THREADS = 2
"""Threads that take work from one list, the calling one left out."""
WORTH_THREADS = 4 << 20
"""Bytes; below this, starting a second thread costs more than it saves."""
