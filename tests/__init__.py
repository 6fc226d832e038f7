"""The tests, and the harnesses among them that also run by themselves: ``python -m tests.hostile``."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Where processes are started that import the tests, or weightkit as it stands here."""
