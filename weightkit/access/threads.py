"""How many threads share work, and from which size."""

from __future__ import annotations

THREADS = 2
"""Threads that take work from one list, with the calling one."""
WORTH_THREADS = 4 << 20
"""Bytes; below this, starting a second thread costs more than it saves."""
